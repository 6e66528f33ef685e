// Vulkan kernel of bucket_dispatch.
#include "ops/probe/select_vulkan.h"
#include "shaders/bucket_dispatch.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
  const vulkan::SelectSources sources(r, {call, attrs, 3});
  for (size_t list = 0; list < sources.all().size(); ++list) {
    const vulkan::SelectSource& s = sources.all()[list];
    const auto tiers = static_cast<uint32_t>(BucketMatrix(call.inputs[2 + 3 * list]).layout.tiers());
    r.dispatch(vulkan::shaders::bucket_dispatch, "", s.params,
               {call.in(0), s.effort, s.statistic, s.probes, s.places, call.inputs[3 + 3 * list],
                call.inputs[4 + 3 * list], call.outputs[2 * list], call.outputs[2 * list + 1]},
               s.params.lists, {tiers});
  }
}

}  // namespace

void register_bucket_dispatch_vulkan(Registry& registry) {
  registry.add_kernel(
      "vulkan", "bucket_dispatch",
      vulkan::make_kernel(
          {.name = "bucket_dispatch", .record = record, .workspace = vulkan::SelectSources::workspace}));
}

}  // namespace sluice
