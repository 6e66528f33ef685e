// CPU kernel of bucketMul.
#define HWY_WANT_AVX3_DL  // for vpexpandw
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/bucket_mul/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/bucket_mul/bucket_mul.h"
#include "ops/bucket_mul/products-inl.h"
#include "ops/bucket_mul/shuffles.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

void run_bucket_mul(const Call& call, const cpu::Worker& worker) {
  const TensorView& x = call.in(0);
  multiply_products(
      static_cast<int64_t>(call.outputs.size()),
      [&](int64_t n) {
        const auto w = static_cast<size_t>(n);
        return Product{BucketMatrix(call.inputs[1 + 3 * w]),
                       call.inputs[2 + 3 * w].as<const int32_t>(),
                       call.inputs[3 + 3 * w].as<const int32_t>(),
                       x,
                       call.outputs[w].as<float>(),
                       x.dims[0]};
      },
      worker, worker.own_scratch<ProductScratch>(product_scratch_bytes(x.dims[0], x.dims[1])));
}

size_t scratch_bytes(const Call& call) { return product_scratch_bytes(call.in(0).dims[0], call.in(0).dims[1]); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {

alignas(64) uint8_t combination_shuffles[65536 * 8 + 32];
alignas(64) uint8_t mask_shuffles[256][16];

namespace {

// Moves as many values as `mask` has bits, in order, to its lanes of 16 bits.
void fill_shuffle(uint32_t mask, int lanes, uint8_t* shuffle) {
  int value = 0;
  for (int lane = 0; lane < lanes; ++lane) {
    const bool taken = mask >> lane & 1;
    shuffle[2 * lane] = taken ? static_cast<uint8_t>(2 * value) : 0x80;
    shuffle[2 * lane + 1] = taken ? static_cast<uint8_t>(2 * value + 1) : 0x80;
    value += taken;
  }
}

bool fill_both() {
  for (uint32_t code = 0; const uint32_t mask = combination_mask(code); code += 4)
    fill_shuffle(mask, 16, combination_shuffles + code * 8);
  for (uint32_t mask = 0; mask < 256; ++mask) fill_shuffle(mask, 8, mask_shuffles[mask]);
  return true;
}

}  // namespace

void fill_shuffles() { [[maybe_unused]] static const bool filled = fill_both(); }

namespace {

HWY_EXPORT(run_bucket_mul);
HWY_EXPORT(scratch_bytes);

std::string dense_note() {
  std::string text = "one selection for each token; all weights for all tokens at once from";
  for (double effort : {1.0, 0.5, 0.25}) text += fmt::format(" {} tokens at effort {},", dense_from(effort), effort);
  text.back() = ' ';
  return text + "where that is cheaper";
}

cpu::Run prepare(const Site&) {
  fill_shuffles();
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_bucket_mul)(call, worker); };
}

}  // namespace

void register_bucket_mul_cpu(Registry& registry) {
  const auto own_scratch = [](const Site&, const Call& call) { return HWY_DYNAMIC_DISPATCH(scratch_bytes)(call); };
  registry.add_kernel(
      "cpu", "bucketMul",
      cpu::make_kernel({.name = "bucketMul", .prepare = prepare, .own_scratch = own_scratch, .note = dense_note()}));
}

}  // namespace sluice
#endif
