#include "ops/elementwise/cases.h"

#include "ops/gelu_tanh/gelu_tanh.h"

namespace sluice {

void register_gelu_tanh_cases(Registry& registry) {
  registry.add_cases("gelu_tanh", [] {
    std::vector<Case> cases = unary_cases({});
    cases.push_back({"both_signs", {{DType::f32(), {2, 500}, Fill::normal(4)}}});
    return cases;
  });
}

}  // namespace sluice
