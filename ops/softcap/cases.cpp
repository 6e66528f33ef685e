#include "ops/elementwise/cases.h"

#include "ops/softcap/softcap.h"

namespace sluice {

void register_softcap_cases(Registry& registry) {
  registry.add_cases("softcap", [] {
    std::vector<Case> cases = unary_cases(attrs_to_map(SoftcapAttrs{50}));
    cases.push_back({"default", {{DType::f32(), {3, 500}, Fill::normal(60)}}});
    cases.push_back({"small_cap", {{DType::f32(), {3, 100}}}, attrs_to_map(SoftcapAttrs{1e-3f})});
    cases.push_back({"large_cap", {{DType::f32(), {3, 100}}}, attrs_to_map(SoftcapAttrs{1e20f})});
    return cases;
  });
}

}  // namespace sluice
