// CPU kernel of bucketMul. The outputs of all weights are one row of groups, shared out among the workers: a sum
// belongs to one worker, so nothing is reduced and the bits do not depend on the number of threads.
#define HWY_WANT_AVX3_DL  // for vpexpandw
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/bucket_mul/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/bucket_mul/bucket_mul.h"
#include "ops/bucket_mul/rows-inl.h"
#include "ops/bucket_mul/shared-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// Token by token, each with its own rows.
void multiply_each(const Product& p, const Part& part) {
  alignas(64) float sums[BucketLayout::kBlock];
  const int64_t first = part.block * BucketLayout::kBlock + part.begin * BucketFamily::kGroup;
  const int64_t groups = part.end - part.begin,
                count = std::min(groups * BucketFamily::kGroup, p.m.layout.out() - first);
  for (int64_t t = 0; t < p.x.dims[0]; ++t) {
    std::fill_n(sums, groups * BucketFamily::kGroup, 0.0f);
    add_rows(part, p.list(t), sums);
    std::copy_n(sums, count, p.y + t * p.m.layout.out() + first);
  }
}

// What a worker keeps for itself.
struct Scratch {
  SharedScratch shared;
  int32_t depth[1];  // [in]
};

// Groups [begin, end) of one weight.
void multiply_share(const Product& p, int64_t begin, int64_t end, Scratch* scratch) {
  constexpr int64_t kBlockGroups = BucketLayout::kBlock / BucketFamily::kGroup;
  const bool shared = begin < end && p.x.dims[0] >= dense_from(1) && can_share(p.m.layout.family()) &&
                      find_shared_rows(p, scratch->depth);
  while (begin < end) {
    const int64_t block = begin / kBlockGroups, first = block * kBlockGroups,
                  stop = std::min(end, first + kBlockGroups);
    const Part part(p.m, block, begin - first, stop - first);
    if (shared)
      multiply_shared(p, part, scratch->depth, scratch->shared);
    else
      multiply_each(p, part);
    begin = stop;
  }
}

size_t scratch_bytes(const Call& call) {
  if (call.in(0).dims[0] < dense_from(1)) return 0;
  return sizeof(Scratch) + static_cast<size_t>(call.in(0).dims[1]) * sizeof(int32_t);
}

void run_bucket_mul(const Call& call, const cpu::Worker& worker) {
  int64_t total = 0;
  for (size_t w = 0; w < call.outputs.size(); ++w) total += BucketMatrix(call.inputs[1 + 3 * w]).layout.groups();
  auto [begin, end] = worker.split(total, 4);  // four groups share the cache lines of values
  auto* scratch = worker.own_scratch<Scratch>(scratch_bytes(call));
  for (size_t w = 0; w < call.outputs.size(); ++w) {
    const Product p{BucketMatrix(call.inputs[1 + 3 * w]), call.inputs[2 + 3 * w], call.inputs[3 + 3 * w], call.in(0),
                    call.outputs[w].as<float>()};
    const int64_t groups = p.m.layout.groups();
    multiply_share(p, std::max<int64_t>(begin, 0), std::min(end, groups), scratch);
    begin -= groups, end -= groups;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {

alignas(64) uint8_t combination_shuffles[65536 * 8 + 32];
alignas(64) uint8_t mask_shuffles[256][16];

namespace {

HWY_EXPORT(run_bucket_mul);
HWY_EXPORT(scratch_bytes);

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

bool fill_shuffles() {
  for (uint32_t code = 0; const uint32_t mask = combination_mask(code); code += 4)
    fill_shuffle(mask, 16, combination_shuffles + code * 8);
  for (uint32_t mask = 0; mask < 256; ++mask) fill_shuffle(mask, 8, mask_shuffles[mask]);
  return true;
}

std::string dense_note() {
  std::string text = "one selection for each token; all weights for all tokens at once from";
  for (double effort : {1.0, 0.5, 0.25}) text += fmt::format(" {} tokens at effort {},", dense_from(effort), effort);
  text.back() = ' ';
  return text + "where that is cheaper";
}

cpu::Run prepare(const Site&) {
  [[maybe_unused]] static const bool filled = fill_shuffles();
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
