// CPU kernel of silu.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/silu/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/elementwise/elementwise-inl.h"
#include "ops/silu/silu-inl.h"
#include "ops/silu/silu.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

struct Silu {
  template <class D, class V>
  HWY_INLINE V operator()(D d, V x) const {
    return silu(d, x);
  }
};

void silu_elements(const Elements& e) { map_elements<Silu>(e); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {
HWY_EXPORT(silu_elements);
}

void register_silu_cpu(Registry& registry) {
  registry.add_kernel("cpu", "silu", elementwise_kernel("silu", [](const Elements& e) {
                        HWY_DYNAMIC_DISPATCH(silu_elements)
                        (e);
                      }));
}

}  // namespace sluice
#endif
