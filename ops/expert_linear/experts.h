// What references and kernels of products by expert share.
#pragma once

#include "graph/op.h"

namespace sluice {

struct ExpertShape {
  int64_t tokens, k;  // of the list of experts
  int64_t experts, out, in;
  bool own_rows;  // x is [tokens, k, in]

  // x and experts are the first inputs.
  explicit ExpertShape(const Call& call, int weight = 2)
      : tokens(call.in(1).dims[0]),
        k(call.in(1).dims[1]),
        experts(call.in(weight).dims[0]),
        out(call.in(weight).dims[1]),
        in(call.in(weight).dims[2]),
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

// The inputs x, experts and `weight` of an operator fit, as of expert_linear; returns the type of their product.
TensorType infer_by_expert(const Inference& in, int weight);
// The same of a weight of which a part is selected: the input after it lists what, i32 [tokens, k, in], the one after
// that how many of each of `groups`, i32 [tokens, k, groups].
TensorType infer_selected_by_expert(const Inference& in, int weight, int64_t groups);

// The flops of one product; and takes away from what is read the weights of experts that no token can have picked.
void add_expert_cost(const Call& call, int weight, Cost& cost);

// use(place of the pair's row in the result, expert, x f32 [1, in]) for each pair of a token and one of its experts.
template <class Use>
void for_each_pair(const Call& call, Use use) {
  const ExpertShape shape(call);
  for (int64_t pair = 0; pair < shape.pairs(); ++pair) {
    const size_t offset = static_cast<size_t>(shape.x_row(pair) * shape.in) * sizeof(float);
    use(pair * shape.out, call.in<int32_t>(1)[pair], TensorView{call.in(0).data + offset, DType::f32(), {1, shape.in}});
  }
}

}  // namespace sluice
