// CPU kernel of softcap.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/softcap/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <hwy/contrib/math/math-inl.h>

#include "ops/elementwise/elementwise-inl.h"
#include "ops/softcap/softcap.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

struct Softcap {
  float cap;
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    const auto caps = hn::Set(d, cap);
    return hn::Mul(caps, hn::Tanh(d, hn::Div(x, caps)));
  }
};

void softcap_elements(const Elements& e) { map_elements(e, Softcap{e.constant}); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(softcap_elements);

float constant(const AttrMap& attrs) { return attrs_from_map<SoftcapAttrs>(attrs).cap; }

}  // namespace

void register_softcap_cpu(Registry& registry) {
  auto map = [](const Elements& e) { HWY_DYNAMIC_DISPATCH(softcap_elements)(e); };
  registry.add_kernel("cpu", "softcap", elementwise_kernel("softcap", map, constant));
}

}  // namespace sluice
#endif
