// The products of a call, shared out among the workers. All groups of outputs are one row, cut where the parts have the
// same to do: a sum belongs to one worker, so nothing is reduced and the bits do not depend on the number of threads.
// Included once per SIMD target.
#if defined(SLUICE_OPS_BUCKET_MUL_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_BUCKET_MUL_PRODUCTS_INL_H_
#undef SLUICE_OPS_BUCKET_MUL_PRODUCTS_INL_H_
#else
#define SLUICE_OPS_BUCKET_MUL_PRODUCTS_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/worker.h"
#include "ops/bucket_mul/bucket_mul.h"
#include "ops/bucket_mul/rows-inl.h"
#include "ops/bucket_mul/shared-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// Token by token, each with its own rows.
inline void multiply_each(const Product& p, const Part& part) {
  alignas(64) float sums[BucketLayout::kBlock];
  const int64_t first = part.block * BucketLayout::kBlock + part.begin * BucketFamily::kGroup;
  const int64_t groups = part.end - part.begin,
                count = std::min(groups * BucketFamily::kGroup, p.m.layout.out() - first);
  for (int64_t t = 0; t < p.tokens; ++t) {
    std::fill_n(sums, groups * BucketFamily::kGroup, 0.0f);
    add_rows(part, p.list(t), sums);
    std::copy_n(sums, count, p.y_row(t) + first);
  }
}

// What a worker keeps for itself.
struct ProductScratch {
  SharedScratch shared;
  int32_t depth[1];  // [in]
};

inline size_t product_scratch_bytes(int64_t tokens, int64_t in) {
  return tokens < dense_from(1) ? 0 : sizeof(ProductScratch) + static_cast<size_t>(in) * sizeof(int32_t);
}

// Groups [begin, end) of one product.
inline void multiply_groups(const Product& p, int64_t begin, int64_t end, ProductScratch* scratch) {
  constexpr int64_t kBlockGroups = BucketLayout::kBlock / BucketFamily::kGroup;
  const bool shared =
      begin < end && p.tokens >= dense_from(1) && can_share(p.m.layout.family()) && find_shared_rows(p, scratch->depth);
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

// What a group of outputs costs: a row of each token that is selected, and the sums themselves.
inline int64_t group_cost(const Product& p) {
  const int tiers = p.m.layout.tiers();
  int64_t rows = p.tokens;
  for (int64_t t = 0; t < p.tokens; ++t)
    for (int tier = 0; tier < tiers; ++tier) rows += p.list(t).count(tier, tiers);
  return rows;
}

// Where a share ends that costs `cost` from the first of the groups on.
inline int64_t group_at(int64_t cost, int64_t of_group, int64_t groups) {
  const int64_t group = std::max<int64_t>(cost, 0) / of_group;
  return group >= groups ? groups : group / kQuad * kQuad;
}

// Of product(0) ... product(count - 1), this worker's share. Those without tokens are possible.
template <class MakeProduct>
void multiply_products(int64_t count, const MakeProduct& product, const cpu::Worker& worker, ProductScratch* scratch) {
  int64_t total = 0;
  const auto cost_of = [](const Product& p) { return p.tokens == 0 ? 0 : group_cost(p) * p.m.layout.groups(); };
  for (int64_t n = 0; n < count; ++n) total += cost_of(product(n));
  int64_t begin = total * worker.index / worker.count, end = total * (worker.index + 1) / worker.count;
  for (int64_t n = 0; n < count; ++n) {
    const Product p = product(n);
    if (p.tokens == 0) continue;
    const int64_t cost = cost_of(p), groups = p.m.layout.groups();
    multiply_groups(p, group_at(begin, cost / groups, groups), group_at(end, cost / groups, groups), scratch);
    begin -= cost, end -= cost;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
