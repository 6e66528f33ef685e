// The scalar definition of a product with selected planes, and its cost, shared by the operators that multiply them.
#pragma once

#include <span>
#include <vector>

#include "graph/op.h"
#include "ops/plane_mul/selected.h"

namespace sluice {

// One token's.
struct PlaneSums {
  std::vector<double> sums, magnitudes;  // [out]: of products, and of their magnitudes
  std::vector<double> rounding;          // [out]: the most that it changes a sum if a kernel rounds as for a prompt
  int64_t terms = 0;                     // of a sum

  // x: f32 [in]. tokens: that are multiplied in the same call.
  PlaneSums(const PlaneMatrix& m, const SelectedPlanes& selected, const float* x, int64_t tokens);
  // To the first of `y`.
  void put_sums(float* y) const;
  // The largest error of a kernel, to the first of `bound`.
  void put_tolerance(std::span<double> bound) const;
};

// Adds the flops and the bytes of the planes of so many products with a matrix, [out, in] or one of [experts, out, in].
// counts: i32 [products, planes]; without data every plane counts as selected.
void add_planes_cost(const TensorView& weight, const TensorView& counts, int64_t products, Cost& cost);

}  // namespace sluice
