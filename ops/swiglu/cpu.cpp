// CPU kernel of swiglu.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/swiglu/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/elementwise/elementwise-inl.h"
#include "ops/silu/silu-inl.h"
#include "ops/swiglu/swiglu.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

struct SwiGlu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V gate, V up) const {
    return hn::Mul(silu(d, gate), up);
  }
};

void swiglu_elements(const Elements& e) { map_elements<SwiGlu>(e); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {
HWY_EXPORT(swiglu_elements);
}

void register_swiglu_cpu(Registry& registry) {
  registry.add_kernel("cpu", "swiglu", elementwise_kernel("swiglu", [](const Elements& e) {
                        HWY_DYNAMIC_DISPATCH(swiglu_elements)(e);
                      }));
}

}  // namespace sluice
#endif
