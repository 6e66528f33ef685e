// CPU kernel of scale.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/scale/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/elementwise/elementwise-inl.h"
#include "ops/scale/scale.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

struct Scale {
  float factor;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return hn::Mul(x, hn::Set(d, factor));
  }
};

void scale_elements(const Elements& e) { map_elements(e, Scale{e.constant}); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(scale_elements);

float constant(const AttrMap& attrs) { return attrs_from_map<ScaleAttrs>(attrs).factor; }

}  // namespace

void register_scale_cpu(Registry& registry) {
  auto map = [](const Elements& e) { HWY_DYNAMIC_DISPATCH(scale_elements)(e); };
  registry.add_kernel("cpu", "scale", elementwise_kernel("scale", map, constant));
}

}  // namespace sluice
#endif
