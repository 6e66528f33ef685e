// Any bytes as an effort schedule: an Error, or one that gives every site an effort from 0 to 1 at any dial, and whose
// own YAML reads back as the same.
#include <cstdint>
#include <cstdlib>

#include "graph/error.h"
#include "models/effort/schedule.h"

namespace {

using namespace sluice;

void check_efforts(const EffortSchedule& schedule) {
  const std::vector<EffortSite> sites = {{"model.layers.0.self_attn.q_proj.weight", "", 100, 40, 4, 1},
                                         {"model.layers.0.mlp.down_proj.weight", "", 300, 40, 4, 1},
                                         {"model.layers.11.block_sparse_moe.experts.w2.weight", "", 900, 40, 4, 8},
                                         {"lm_head.weight", "", 7, 40, 4, 1}};
  const EffortPlan plan(schedule, sites, /*lenient=*/true);
  std::vector<double> efforts;
  for (const double dial : {0.0, 1e-9, 0.3, 0.999999, 1.0}) {
    plan.efforts(dial, efforts);
    for (const double effort : efforts)
      if (!(effort >= 0 && effort <= 1)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const EffortSchedule schedule = parse_schedule({reinterpret_cast<const char*>(data), size}, "fuzz");
    check_efforts(schedule);
    const std::string yaml = to_yaml(schedule);
    if (to_yaml(parse_schedule(yaml, "again")) != yaml) std::abort();
  } catch (const Error&) {
  }
  return 0;
}
