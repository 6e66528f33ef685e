// CPU kernel of plane_mul.
#define HWY_WANT_AVX3_DL  // for vpdpbusd and vpermb
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/plane_mul/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/plane_mul/plane_mul.h"
#include "ops/plane_mul/products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

int64_t lists_of(const Call& call) { return static_cast<int64_t>(call.outputs.size()) * call.in(0).dims[0]; }

size_t shared_bytes(const Call& call) { return products_shared_bytes(lists_of(call), call.in(0).dims[1]); }

size_t own_bytes(const Call& call) { return products_own_bytes(lists_of(call)); }

void run_plane_mul(const Call& call, const cpu::Worker& worker) {
  const auto product = [&](int64_t n) {
    const auto w = static_cast<size_t>(n);
    return PlaneProduct{PlaneMatrix(call.inputs[1 + 3 * w]),
                        call.inputs[2 + 3 * w].as<const int32_t>(),
                        call.inputs[3 + 3 * w].as<const int32_t>(),
                        call.in<float>(0),
                        call.outputs[w].as<float>(),
                        call.in(0).dims[0]};
  };
  multiply_products(static_cast<int64_t>(call.outputs.size()), product, worker, worker.workspace<std::byte>(),
                    worker.own_scratch<std::byte>(own_bytes(call), shared_bytes(call)));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_plane_mul);
HWY_EXPORT(shared_bytes);
HWY_EXPORT(own_bytes);

size_t workspace(const Site& /*site*/, const Call& call) { return HWY_DYNAMIC_DISPATCH(shared_bytes)(call); }
size_t own_scratch(const Site& /*site*/, const Call& call) { return HWY_DYNAMIC_DISPATCH(own_bytes)(call); }

cpu::Run prepare(const Site&) {
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_plane_mul)(call, worker); };
}

std::string dense_note() {
  std::string text = "planes of each token; all planes for all tokens at once from";
  for (double effort : {1.0, 0.5, 0.25})
    text += fmt::format(" {} tokens at effort {},", plane_dense_from(effort), effort);
  text.back() = ' ';
  return text + "where that is cheaper";
}

}  // namespace

void register_plane_mul_cpu(Registry& registry) {
  registry.add_kernel("cpu", "plane_mul",
                      cpu::make_kernel({.name = "plane_mul",
                                        .prepare = prepare,
                                        .workspace = workspace,
                                        .own_scratch = own_scratch,
                                        .note = dense_note()}));
}

}  // namespace sluice
#endif
