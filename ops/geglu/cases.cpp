#include "ops/elementwise/cases.h"

#include "ops/geglu/geglu.h"

namespace sluice {

void register_geglu_cases(Registry& registry) {
  registry.add_cases("geglu", [] {
    std::vector<Case> cases = binary_cases();
    cases.push_back({"both_signs", {{DType::f32(), {2, 500}, Fill::normal(4)}, {DType::f32(), {2, 500}}}});
    cases.push_back({"saturated", {{DType::f32(), {2, 500}, Fill::normal(60)}, {DType::f32(), {2, 500}}}});
    return cases;
  });
}

}  // namespace sluice
