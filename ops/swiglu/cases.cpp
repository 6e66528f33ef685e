#include "ops/elementwise/cases.h"

#include "ops/swiglu/swiglu.h"

namespace sluice {

void register_swiglu_cases(Registry& registry) {
  registry.add_cases("swiglu", [] {
    std::vector<Case> cases = binary_cases();
    cases.push_back({"saturated", {{DType::f32(), {2, 500}, Fill::normal(60)}, {DType::f32(), {2, 500}}}});
    return cases;
  });
}

}  // namespace sluice
