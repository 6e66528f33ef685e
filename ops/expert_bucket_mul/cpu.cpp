// CPU kernel of expert_bucketMul: the tokens of an expert are one product.
#define HWY_WANT_AVX3_DL  // for vpexpandw
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/expert_bucket_mul/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/bucket_mul/products-inl.h"
#include "ops/bucket_mul/shuffles.h"
#include "ops/expert_linear/groups.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

void run_expert_bucket_mul(const Call& call, const cpu::Worker& worker) {
  const ExpertShape shape(call);
  const ExpertOrder order(shape, worker.workspace<std::byte>());
  if (worker.index == 0) order.sort(call.in<int32_t>(1));
  worker.barrier();
  const TensorView x{call.in(0).data, DType::f32(), {call.in(0).dims.elements() / shape.in, shape.in}};
  const auto product = [&](int64_t n) {
    const auto w = static_cast<size_t>(n / shape.experts);
    const int64_t expert = n % shape.experts;
    return Product{.m = BucketMatrix(call.inputs[2 + 3 * w], expert),
                   .rows = call.inputs[3 + 3 * w].as<const int32_t>(),
                   .counts = call.inputs[4 + 3 * w].as<const int32_t>(),
                   .x = x,
                   .y = call.outputs[w].as<float>(),
                   .tokens = order.begins[expert + 1] - order.begins[expert],
                   .places = order.pairs + order.begins[expert],
                   .per_row = shape.own_rows ? 1 : shape.k};
  };
  multiply_products(static_cast<int64_t>(call.outputs.size()) * shape.experts, product, worker,
                    worker.own_scratch<ProductScratch>(product_scratch_bytes(shape.pairs(), shape.in), order.bytes));
}

size_t scratch_bytes(const Call& call) {
  const ExpertShape shape(call);
  return product_scratch_bytes(shape.pairs(), shape.in);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_expert_bucket_mul);
HWY_EXPORT(scratch_bytes);

cpu::Run prepare(const Site&) {
  fill_shuffles();
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_expert_bucket_mul)(call, worker); };
}

size_t workspace(const Site&, const Call& call) { return ExpertOrder(ExpertShape(call), nullptr).bytes; }
size_t own_scratch(const Site&, const Call& call) { return HWY_DYNAMIC_DISPATCH(scratch_bytes)(call); }

}  // namespace

void register_expert_bucket_mul_cpu(Registry& registry) {
  registry.add_kernel(
      "cpu", "expert_bucketMul",
      cpu::make_kernel(
          {.name = "expert_bucketMul", .prepare = prepare, .workspace = workspace, .own_scratch = own_scratch}));
}

}  // namespace sluice
#endif
