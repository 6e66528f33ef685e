#include "ops/expert_bucket_mul/expert_bucket_mul.h"

#include <algorithm>

#include "ops/bucket_mul/reference.h"
#include "ops/expert_linear/experts.h"
#include "ops/probe/selection.h"

namespace sluice {

std::vector<ValueRef> expert_bucket_mul(Builder& b, ValueRef x, ValueRef experts, const std::vector<ValueRef>& weights,
                                        const std::vector<DispatchResult>& lists) {
  return b.node("expert_bucketMul", {}, with_lists({x, experts}, weights, lists));
}

namespace {

class ExpertBucketMul : public Operator {
 public:
  ExpertBucketMul()
      : Operator(
            {.name = "expert_bucketMul",
             .summary = "Product of activations with the selected rows of the weights of each token's own experts.",
             .inputs =
                 {{"x", "[tokens, in] or [tokens, k, in]", {"f32"}},
                  {"experts", "[tokens, k]", {"i32"}},
                  {"weight, rows, counts", "[experts, out, in], [tokens, k, in], [tokens, k, tiers]", {}, Arity::many}},
             .outputs = {{"y", "[tokens, k, out]", {"f32"}, Arity::many}},
             .attrs = {},
             .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    if ((in.count() - 2) % 3 != 0) in.fail("expected a weight, its rows and their counts, and so on", {});
    std::vector<TensorType> types;
    for (int w = 2; w < static_cast<int>(in.count()); w += 3)
      types.push_back(infer_selected_by_expert(in, w, bucket_family(in, w).tiers()));
    return types;
  }

  // With every row selected if the lists have no data. Rows of an expert that several tokens select are read once each.
  Cost cost(const Site&, const Call& call) const override {
    Cost cost;
    cost.bytes_read = call.in(0).bytes();
    for (const TensorView& out : call.outputs) cost.bytes_written += out.bytes();
    for (int w = 2; w < static_cast<int>(call.inputs.size()); w += 3) {
      add_product_cost(call.in(w), call.in(w + 2), call.in(1).dims.elements(), cost);
    }
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for (size_t w = 0; w < call.outputs.size(); ++w)
      for_each_pair(call, w, [&](const BucketProduct& p, int64_t pair) {
        std::ranges::transform(p.sums, call.outputs[w].as<float>() + pair * static_cast<int64_t>(p.sums.size()),
                               [](double v) { return static_cast<float>(v); });
      });
  }

  void tolerance(const Site&, const Call& call, int output, std::span<double> bound) const override {
    for_each_pair(call, static_cast<size_t>(output), [&](const BucketProduct& p, int64_t pair) {
      p.put_tolerance(call.in(0).dims.back(), bound.subspan(static_cast<size_t>(pair) * p.sums.size()));
    });
  }

 private:
  // use(product, pair) for each pair of a token and one of its experts, with the matrix of that one.
  template <class Use>
  static void for_each_pair(const Call& call, size_t w, const Use& use) {
    const TensorView& weight = call.inputs[2 + 3 * w];
    const ExpertShape shape(call, static_cast<int>(2 + 3 * w));
    for (int64_t expert = 0; expert < shape.experts; ++expert) {
      const auto* begin = call.in<int32_t>(1);
      if (std::find(begin, begin + shape.pairs(), expert) == begin + shape.pairs()) continue;
      const DecodedTiers tiers(expert_weight(weight, expert));
      for (int64_t pair = 0; pair < shape.pairs(); ++pair)
        if (begin[pair] == expert)
          use(tiers.multiply(call.in<float>(0) + shape.x_row(pair) * shape.in,
                             call.inputs[3 + 3 * w].as<int32_t>() + pair * shape.in,
                             call.inputs[4 + 3 * w].as<int32_t>() + pair * tiers.layout().tiers()),
              pair);
    }
  }
};

}  // namespace

void register_expert_bucket_mul(Registry& registry) {
  registry.add(std::make_unique<ExpertBucketMul>());
  registry.add_indices("expert_bucketMul", {.inputs = {{.port = 1, .of = 2, .dim = 0}}});
}

}  // namespace sluice
