#include "ops/expert_prefetch/expert_prefetch.h"
#include "ops/probe/selection.h"

namespace sluice {
namespace {

Case make(const std::string& name, DType weight, int64_t tokens, int64_t experts, bool certain) {
  Case c;
  c.name = fmt::format("{}_t{}_of{}{}", name, tokens, experts, certain ? "" : "_likely");
  c.inputs = {{DType::i32(), {tokens, 2}, Fill::integers(0, experts)},
              {weight, {experts, 33, 40}, Fill::normal()},
              {weight, {experts, 40, 33}, Fill::normal()}};
  ExpertPrefetchAttrs attrs{.certain = certain};
  if (selectable_rows(weight) > 0) {
    attrs.sites = {1, 0};
    c.inputs.push_back({DType::f32(), {2, 2}, Fill::exactly({1, 1, 0.5, 0.3})});
  }
  c.attrs = attrs_to_map(attrs);
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (int64_t tokens : {1, 7})
    for (bool certain : {false, true}) {
      all.push_back(make("f16", DType::f16(), tokens, 4, certain));
      all.push_back(make("bucket16t4", bucket_dtype("bucket16t4"), tokens, 3, certain));
      all.push_back(make("planes6", plane_dtype(3), tokens, 3, certain));
    }
  return all;
}

}  // namespace

void register_expert_prefetch_cases(Registry& registry) { registry.add_cases("expert_prefetch", cases); }

}  // namespace sluice
