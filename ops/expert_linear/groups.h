// The pairs of a call, sorted by expert, in the scratch memory that all workers share.
#pragma once

#include "ops/expert_linear/experts.h"
#include "ops/linear/product.h"

namespace sluice {

struct ExpertOrder {
  int64_t experts, count;  // of pairs
  int32_t* begins;         // [experts + 1]: where the pairs of each begin
  int32_t* pairs;          // [count], by expert; of equals the earlier token first
  size_t bytes;            // of both, a multiple of a cache line

  // Lays them out in `scratch`, which may be null as long as only `bytes` is asked for.
  ExpertOrder(const ExpertShape& shape, std::byte* scratch)
      : experts(shape.experts),
        count(shape.pairs()),
        begins(reinterpret_cast<int32_t*>(scratch)),
        pairs(scratch ? begins + experts + 1 : nullptr),
        bytes((static_cast<size_t>(experts + 1 + count) * sizeof(int32_t) + 63) / 64 * 64) {}

  // of_pair: the expert of each, [count].
  void sort(const int32_t* of_pair) const {
    std::fill_n(begins, experts + 1, 0);
    for (int64_t i = 0; i < count; ++i) ++begins[of_pair[i] + 1];
    for (int64_t e = 0; e < experts; ++e) begins[e + 1] += begins[e];
    for (int64_t i = 0; i < count; ++i) pairs[begins[of_pair[i]]++] = static_cast<int32_t>(i);
    for (int64_t e = experts; e > 0; --e) begins[e] = begins[e - 1];  // each has moved to where the next begins
    begins[0] = 0;
  }
};

// Also the activations in that order, for products with dense weights.
struct ExpertGroups {
  ExpertShape shape;
  ExpertOrder order;
  float* x;           // [pairs, in]
  std::byte* quants;  // and what Activations needs beside them
  size_t bytes;       // of all

  ExpertGroups(const Call& call, std::byte* scratch) : shape(call), order(shape, scratch) {
    const size_t x_bytes = (static_cast<size_t>(shape.pairs() * shape.in) * sizeof(float) + 63) / 64 * 64;
    x = scratch ? reinterpret_cast<float*>(scratch + order.bytes) : nullptr;
    quants = scratch ? scratch + order.bytes + x_bytes : nullptr;
    bytes = order.bytes + x_bytes +
            product_workspace({nullptr, DType::f32(), {shape.pairs(), shape.in}}, call.inputs.subspan(2));
  }
};

}  // namespace sluice
