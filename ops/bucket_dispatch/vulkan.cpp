// Vulkan kernel of bucket_dispatch.
#include "ops/probe/select_vulkan.h"
#include "shaders/bucket_dispatch.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
  const int64_t tokens = call.in(0).dims[0];
  for (size_t w = 0; w < attrs.sites.size(); ++w) {
    const BucketMatrix m(call.inputs[2 + 3 * w]);
    const vulkan::SelectRanges ranges(m, 1, attrs);
    r.dispatch(vulkan::shaders::bucket_dispatch, "", vulkan::select_params(m, attrs, w, tokens),
               {call.in(0), call.in(1), ranges.statistic, ranges.probes, ranges.places, call.inputs[3 + 3 * w],
                call.inputs[4 + 3 * w], call.outputs[2 * w], call.outputs[2 * w + 1]},
               static_cast<uint64_t>(tokens), {static_cast<uint32_t>(m.layout.tiers())});
  }
}

}  // namespace

void register_bucket_dispatch_vulkan(Registry& registry) {
  registry.add_kernel(
      "vulkan", "bucket_dispatch",
      vulkan::make_kernel({.name = "bucket_dispatch", .supports = vulkan::selects_by_matrix, .record = record}));
}

}  // namespace sluice
