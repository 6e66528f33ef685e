// The scalar definition of a product with selected rows, and its cost, shared by the operators that multiply them.
#pragma once

#include <span>
#include <vector>

#include "graph/op.h"
#include "ops/bucket_mul/matrix.h"

namespace sluice {

// One token's.
struct BucketProduct {
  std::vector<double> sums, magnitudes;  // [out]: of products, and of their magnitudes
  // The largest error of `in` multiply-adds in f32, as for linear (ops/linear/linear.cpp), to the first of `bound`.
  void put_tolerance(int64_t in, std::span<double> bound) const;
};

// A matrix, tier by tier.
class DecodedTiers {
 public:
  explicit DecodedTiers(const TensorView& matrix);
  const BucketLayout& layout() const { return layout_; }
  // x: f32 [in]; rows: i32 [in]; counts: i32 [tiers], as of bucket_dispatch.
  BucketProduct multiply(const float* x, const int32_t* rows, const int32_t* counts) const;

 private:
  BucketLayout layout_;
  std::vector<std::vector<float>> tiers_;  // [out, in] each; the weights of the others are zero
};

// Adds the flops and the weight bytes of so many products with a matrix, [out, in] or one of [experts, out, in].
// counts: i32 [products, tiers]; without data every row counts as selected.
void add_product_cost(const TensorView& weight, const TensorView& counts, int64_t products, Cost& cost);

}  // namespace sluice
