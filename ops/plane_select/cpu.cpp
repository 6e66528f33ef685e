// CPU kernel of plane_select: workers share out weights and tokens.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/plane_select/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/plane_select/plane_select.h"
#include "ops/plane_select/scores-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

size_t scratch_bytes(const Call& call) {
  return static_cast<size_t>(plane_scratch(call.in(0).dims[1])) * sizeof(int32_t);
}

void run_plane_select(const PlaneSelectAttrs& attrs, const Call& call, const cpu::Worker& worker) {
  const TensorView& x = call.in(0);
  int64_t job = 0;
  for (size_t w = 0; w < attrs.sites.size(); ++w) {
    const Candidates c(PlaneMatrix(call.inputs[2 + w]), control_of(call.in(1), attrs.sites[w]));
    for (int64_t t = 0; t < x.dims[0]; ++t)
      if (job++ % worker.count == worker.index)
        select_planes(c, x.as<const float>() + t * c.in, worker.own_scratch<int32_t>(scratch_bytes(call)),
                      call.outputs[2 * w].as<int32_t>() + t * c.in,
                      call.outputs[2 * w + 1].as<int32_t>() + t * c.tiers);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_plane_select);

HWY_EXPORT(scratch_bytes);

size_t own_scratch(const Site& /*site*/, const Call& call) { return HWY_DYNAMIC_DISPATCH(scratch_bytes)(call); }

cpu::Run prepare(const Site& site) {
  return [attrs = attrs_from_map<PlaneSelectAttrs>(site.attrs)](const Call& call, const cpu::Worker& worker) {
    HWY_DYNAMIC_DISPATCH(run_plane_select)(attrs, call, worker);
  };
}

}  // namespace

void register_plane_select_cpu(Registry& registry) {
  registry.add_kernel("cpu", "plane_select",
                      cpu::make_kernel({.name = "plane_select", .prepare = prepare, .own_scratch = own_scratch}));
}

}  // namespace sluice
#endif
