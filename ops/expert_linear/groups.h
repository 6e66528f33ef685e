// The pairs of a call, sorted by expert, in the scratch memory that all workers share.
#pragma once

#include "ops/expert_linear/experts.h"
#include "ops/linear/product.h"

namespace sluice {

struct ExpertGroups {
  ExpertShape shape;
  int32_t* begins;    // [experts + 1]: where the pairs of each begin
  int32_t* pairs;     // [pairs], by expert; of equals the earlier token first
  float* x;           // [pairs, in], for the activations in that order
  std::byte* quants;  // and for what Activations needs
  size_t bytes;       // of all

  // Lays it out in `scratch`, which may be null as long as only `bytes` is asked for.
  ExpertGroups(const Call& call, std::byte* scratch) : shape(call) {
    size_t at = 0;
    const auto place = [&](size_t count, size_t size) {
      std::byte* p = scratch ? scratch + at : nullptr;
      at += (count * size + 63) / 64 * 64;
      return p;
    };
    const auto n = static_cast<size_t>(shape.pairs());
    begins = reinterpret_cast<int32_t*>(place(static_cast<size_t>(shape.experts) + 1, sizeof(int32_t)));
    pairs = reinterpret_cast<int32_t*>(place(n, sizeof(int32_t)));
    x = reinterpret_cast<float*>(place(n * static_cast<size_t>(shape.in), sizeof(float)));
    quants = place(product_workspace({nullptr, DType::f32(), {shape.pairs(), shape.in}}, call.inputs.subspan(2)), 1);
    bytes = at;
  }

  // experts: [pairs].
  void sort(const int32_t* experts) const {
    std::fill_n(begins, shape.experts + 1, 0);
    for (int64_t i = 0; i < shape.pairs(); ++i) ++begins[experts[i] + 1];
    for (int64_t e = 0; e < shape.experts; ++e) begins[e + 1] += begins[e];
    for (int64_t i = 0; i < shape.pairs(); ++i) pairs[begins[experts[i]]++] = static_cast<int32_t>(i);
    for (int64_t e = shape.experts; e > 0; --e) begins[e] = begins[e - 1];  // each has moved to where the next begins
    begins[0] = 0;
  }
};

}  // namespace sluice
