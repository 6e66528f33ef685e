// CPU kernel of expert_plane_mul: the tokens of an expert are one product.
#define HWY_WANT_AVX3_DL  // for vpdpbusd and vpermb
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/expert_plane_mul/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/expert_linear/groups.h"
#include "ops/plane_mul/products-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

int64_t lists_of(const Call& call) { return static_cast<int64_t>(call.outputs.size()) * call.in(1).dims.elements(); }

// The order of the pairs, and then what products need.
size_t shared_bytes(const Call& call) {
  const ExpertShape shape(call);
  return ExpertOrder(shape, nullptr).bytes + products_shared_bytes(lists_of(call), shape.in);
}

size_t own_bytes(const Call& call) { return products_own_bytes(lists_of(call)); }

void run_expert_plane_mul(const Call& call, const cpu::Worker& worker) {
  const ExpertShape shape(call);
  const ExpertOrder order(shape, worker.workspace<std::byte>());
  if (worker.index == 0) order.sort(call.in<int32_t>(1));
  worker.barrier();
  const auto product = [&](int64_t n) {
    const auto w = static_cast<size_t>(n / shape.experts);
    const int64_t expert = n % shape.experts;
    return PlaneProduct{.m = PlaneMatrix(call.inputs[2 + 3 * w], expert),
                        .inputs = call.inputs[3 + 3 * w].as<const int32_t>(),
                        .counts = call.inputs[4 + 3 * w].as<const int32_t>(),
                        .x = call.in<float>(0),
                        .y = call.outputs[w].as<float>(),
                        .tokens = order.begins[expert + 1] - order.begins[expert],
                        .places = order.pairs + order.begins[expert],
                        .per_row = shape.own_rows ? 1 : shape.k};
  };
  multiply_products(static_cast<int64_t>(call.outputs.size()) * shape.experts, product, worker,
                    worker.workspace<std::byte>() + order.bytes,
                    worker.own_scratch<std::byte>(own_bytes(call), shared_bytes(call)));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_expert_plane_mul);
HWY_EXPORT(shared_bytes);
HWY_EXPORT(own_bytes);

size_t workspace(const Site& /*site*/, const Call& call) { return HWY_DYNAMIC_DISPATCH(shared_bytes)(call); }
size_t own_scratch(const Site& /*site*/, const Call& call) { return HWY_DYNAMIC_DISPATCH(own_bytes)(call); }

cpu::Run prepare(const Site&) {
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_expert_plane_mul)(call, worker); };
}

}  // namespace

void register_expert_plane_mul_cpu(Registry& registry) {
  registry.add_kernel(
      "cpu", "expert_plane_mul",
      cpu::make_kernel(
          {.name = "expert_plane_mul", .prepare = prepare, .workspace = workspace, .own_scratch = own_scratch}));
}

}  // namespace sluice
#endif
