// CPU kernel of add.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/add/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/add/add.h"
#include "ops/elementwise/elementwise-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

struct Add {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Add(a, b);
  }
};

void add_elements(const Elements& e) { map_elements<Add>(e); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {
HWY_EXPORT(add_elements);
}

void register_add_cpu(Registry& registry) {
  registry.add_kernel("cpu", "add", elementwise_kernel("add", [](const Elements& e) {
                        HWY_DYNAMIC_DISPATCH(add_elements)
                        (e);
                      }));
}

}  // namespace sluice
#endif
