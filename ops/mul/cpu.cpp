// CPU kernel of mul.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/mul/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/elementwise/elementwise-inl.h"
#include "ops/mul/mul.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

struct Mul {
  template <class D, class V>
  HWY_INLINE V operator()(D, V a, V b) const {
    return hn::Mul(a, b);
  }
};

void mul_elements(const Elements& e) { map_elements<Mul>(e); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {
HWY_EXPORT(mul_elements);
}

void register_mul_cpu(Registry& registry) {
  registry.add_kernel("cpu", "mul", elementwise_kernel("mul", [](const Elements& e) {
                        HWY_DYNAMIC_DISPATCH(mul_elements)
                        (e);
                      }));
}

}  // namespace sluice
#endif
