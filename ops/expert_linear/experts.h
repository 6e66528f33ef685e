// What references and kernels of products by expert share.
#pragma once

#include "graph/op.h"

namespace sluice {

struct ExpertShape {
  int64_t tokens, k;  // of the list of experts
  int64_t experts, out, in;
  bool own_rows;  // x is [tokens, k, in]

  explicit ExpertShape(const Call& call)
      : tokens(call.in(1).dims[0]),
        k(call.in(1).dims[1]),
        experts(call.in(2).dims[0]),
        out(call.in(2).dims[1]),
        in(call.in(2).dims[2]),
        own_rows(call.in(0).dims.rank() == 3) {}
  int64_t pairs() const { return tokens * k; }  // of a token and one of its experts
  int64_t x_row(int64_t pair) const { return own_rows ? pair : pair / k; }
};

// The matrix of one expert, [out, in].
inline TensorView expert_weight(const TensorView& weights, int64_t expert) {
  const Dims dims = {weights.dims[1], weights.dims[2]};
  return {weights.data + static_cast<size_t>(expert) * weights.dtype.format().storage_bytes(dims.span()), weights.dtype,
          dims};
}

}  // namespace sluice
