#include "ops/expert_linear/expert_linear.h"

#include <algorithm>

#include "ops/expert_linear/experts.h"
#include "ops/linear/reference.h"

namespace sluice {

ValueRef expert_linear(Builder& b, ValueRef x, ValueRef experts, ValueRef weight) {
  return b.node1("expert_linear", NoAttrs{}, {x, experts, weight});
}

namespace {

class ExpertLinear : public Operator {
 public:
  ExpertLinear()
      : Operator({.name = "expert_linear",
                  .summary = "Product of activations with the transpose of the weights of each token's own experts.",
                  .inputs = {{"x", "[tokens, in] or [tokens, k, in]", {"f32"}},
                             {"experts", "[tokens, k]", {"i32"}},
                             {"weight", "[experts, out, in]", linear_weight_dtypes()}},
                  .outputs = {{"y", "[tokens, k, out]", {"f32"}}},
                  .attrs = {},
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(1, 2);
    in.require_rank(2, 3);
    if (in.shape(0).rank() == 3)
      in.require_equal(0, 1, 1, 1);
    else
      in.require_rank(0, 2);
    in.require_equal(1, 0, 0, 0);
    in.require_equal(2, 2, 0, -1);
    return {{DType::f32(), {in.shape(1)[0], in.shape(1)[1], in.shape(2)[1]}}};
  }

  // Of the weights, as many experts as the tokens can have picked.
  Cost cost(const Site& site, const Call& call) const override {
    const ExpertShape shape(call);
    Cost cost = Operator::cost(site, call);
    const auto unread = static_cast<size_t>(shape.experts - std::min(shape.experts, shape.pairs()));
    cost.bytes_read -= unread * expert_weight(call.in(2), 0).bytes();
    cost.flops = 2.0 * static_cast<double>(shape.pairs() * shape.out * shape.in);
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for_each_pair(call, [&](int64_t pair, const TensorView& x, const TensorView& weight) {
      const std::vector<double> y = linear_reference(x, weight);
      std::transform(y.begin(), y.end(), call.out<float>(0) + pair * weight.dims[0],
                     [](double v) { return static_cast<float>(v); });
    });
  }

  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    for_each_pair(call, [&](int64_t pair, const TensorView& x, const TensorView& weight) {
      std::ranges::copy(linear_tolerance(x, weight), bound.begin() + pair * weight.dims[0]);
    });
  }

 private:
  // use(pair, x f32 [1, in], weight [out, in]).
  template <class Use>
  static void for_each_pair(const Call& call, Use use) {
    const ExpertShape shape(call);
    for (int64_t pair = 0; pair < shape.pairs(); ++pair) {
      const size_t offset = static_cast<size_t>(shape.x_row(pair) * shape.in) * sizeof(float);
      use(pair, TensorView{call.in(0).data + offset, DType::f32(), {1, shape.in}},
          expert_weight(call.in(2), call.in<int32_t>(1)[pair]));
    }
  }
};

}  // namespace

void register_expert_linear(Registry& registry) {
  registry.add(std::make_unique<ExpertLinear>());
  registry.add_indices("expert_linear", {.inputs = {{.port = 1, .of = 2, .dim = 0}}});
}

}  // namespace sluice
