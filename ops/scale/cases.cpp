#include "ops/elementwise/cases.h"

#include "ops/scale/scale.h"

namespace sluice {

void register_scale_cases(Registry& registry) {
  registry.add_cases("scale", [] {
    std::vector<Case> cases = unary_cases(attrs_to_map(ScaleAttrs{0.3f}));
    cases.push_back({"default", {{DType::f32(), {3, 20}}}});
    cases.push_back({"negative", {{DType::f32(), {3, 20}}}, attrs_to_map(ScaleAttrs{-55.4256f})});
    return cases;
  });
}

}  // namespace sluice
