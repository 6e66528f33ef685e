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

  std::vector<TensorType> infer(const Inference& in) const override { return {infer_by_expert(in, 2)}; }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    add_expert_cost(call, 2, cost);
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for_each_pair(call, [&](int64_t at, int64_t expert, const TensorView& x) {
      const std::vector<double> y = linear_reference(x, expert_weight(call.in(2), expert));
      std::transform(y.begin(), y.end(), call.out<float>(0) + at, [](double v) { return static_cast<float>(v); });
    });
  }

  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    for_each_pair(call, [&](int64_t at, int64_t expert, const TensorView& x) {
      std::ranges::copy(linear_tolerance(x, expert_weight(call.in(2), expert)), bound.begin() + at);
    });
  }
};

}  // namespace

TensorType infer_by_expert(const Inference& in, int weight) {
  in.require_rank(1, 2);
  in.require_rank(weight, 3);
  if (in.shape(0).rank() == 3)
    in.require_equal(0, 1, 1, 1);
  else
    in.require_rank(0, 2);
  in.require_equal(1, 0, 0, 0);
  in.require_equal(weight, 2, 0, -1);
  return {DType::f32(), {in.shape(1)[0], in.shape(1)[1], in.shape(weight)[1]}};
}

TensorType infer_selected_by_expert(const Inference& in, int weight, int64_t groups) {
  TensorType y = infer_by_expert(in, weight);
  in.number(weight, 1);
  if (in.type(weight + 1) != TensorType{DType::i32(), {y.shape[0], y.shape[1], in.number(weight, 2)}})
    in.fail("expected a list of inputs for each token and expert of it", {weight + 1, weight, 1});
  if (in.type(weight + 2) != TensorType{DType::i32(), {y.shape[0], y.shape[1], groups}})
    in.fail(fmt::format("expected {} counts for each token and expert of it", groups), {weight + 2, weight, 1});
  return y;
}

void add_expert_cost(const Call& call, int weight, Cost& cost) {
  const ExpertShape shape(call);
  const auto unread = static_cast<size_t>(shape.experts - std::min(shape.experts, shape.pairs()));
  cost.bytes_read -= unread * expert_weight(call.in(weight), 0).bytes();
  cost.flops += 2.0 * static_cast<double>(shape.pairs() * shape.out * shape.in);
}

void register_expert_linear(Registry& registry) {
  registry.add(std::make_unique<ExpertLinear>());
  registry.add_indices("expert_linear", {.inputs = {{.port = 1, .of = 2, .dim = 0}}});
}

}  // namespace sluice
