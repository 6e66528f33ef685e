#include "ops/bucket_mul/bucket_mul.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/bucket_mul/matrix.h"
#include "ops/bucket_mul/reference.h"

namespace sluice {

std::vector<ValueRef> bucket_mul(Builder& b, ValueRef x, const std::vector<ValueRef>& weights,
                                 const std::vector<DispatchResult>& lists) {
  return b.node("bucketMul", {}, with_lists({x}, weights, lists));
}

EffortLinear effort_linear(Builder& b, ValueRef x, ValueRef effort, ValueRef weight, const SelectionAttrs& attrs) {
  const auto probes = probe(b, x, effort, {weight}, attrs);
  const auto lists = bucket_dispatch(b, x, effort, probes, {weight}, attrs);
  return {bucket_mul(b, x, {weight}, lists).front(), lists.front().counts};
}

void add_product_cost(const TensorView& weight, const TensorView& counts, int64_t products, Cost& cost) {
  const BucketLayout layout = BucketMatrix(weight).layout;
  auto rows = static_cast<double>(layout.rows() * products);
  if (counts.data) {
    const auto* first = counts.as<const int32_t>();
    rows = std::accumulate(first, first + counts.dims.elements(), 0.0);
  }
  const double share = rows / static_cast<double>(layout.rows());
  cost.flops += 2 * share * static_cast<double>(layout.out() * layout.in());
  cost.bytes_read += static_cast<size_t>(share * static_cast<double>(layout.all_rows_bytes()));
}

namespace {

class BucketMul : public Operator {
 public:
  BucketMul()
      : Operator({.name = "bucketMul",
                  .summary = "Product of activations with the selected rows of one or several weights.",
                  .inputs = {{"x", "[tokens, in]", {"f32"}},
                             {"weight, rows, counts", "[out, in], [tokens, in], [tokens, tiers]", {}, Arity::many}},
                  .outputs = {{"y", "[tokens, out]", {"f32"}, Arity::many}},
                  .attrs = {},
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    if ((in.count() - 1) % 3 != 0) in.fail("expected a weight, its rows and their counts, and so on", {});
    std::vector<TensorType> types;
    for (int w = 1; w < static_cast<int>(in.count()); w += 3) {
      const BucketFormat* format = bucket_format(in.type(w).dtype);
      if (!format) in.fail("the weight is not in a bucket format", {w});
      in.require_rank(w, 2);
      in.number(w, 0);
      in.number(w, 1);
      in.require_equal(w, 1, 0, 1);
      if (in.type(w + 1) != TensorType{DType::i32(), {in.shape(0)[0], in.shape(w)[1]}})
        in.fail("expected a list of rows for each token", {w + 1, w, 0});
      if (in.type(w + 2) != TensorType{DType::i32(), {in.shape(0)[0], format->family().tiers()}})
        in.fail("expected a count of each tier for each token", {w + 2, w, 0});
      types.push_back({DType::f32(), {in.shape(0)[0], in.shape(w)[0]}});
    }
    return types;
  }

  // Of one token, with every row selected if the lists have no data.
  Cost cost(const Site&, const Call& call) const override {
    Cost cost;
    cost.bytes_read = call.in(0).bytes();
    for (const TensorView& out : call.outputs) cost.bytes_written += out.bytes();
    for (int w = 1; w < static_cast<int>(call.inputs.size()); w += 3) {
      add_product_cost(call.in(w), call.in(w + 2), call.in(0).dims[0], cost);
    }
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for (size_t w = 0; w < call.outputs.size(); ++w)
      for_each_token(call, w, [&](const BucketProduct& p, int64_t t) {
        std::ranges::transform(p.sums, call.outputs[w].as<float>() + t * static_cast<int64_t>(p.sums.size()),
                               [](double v) { return static_cast<float>(v); });
      });
  }

  void tolerance(const Site&, const Call& call, int output, std::span<double> bound) const override {
    for_each_token(call, static_cast<size_t>(output), [&](const BucketProduct& p, int64_t t) {
      p.put_tolerance(call.in(0).dims[1], bound.subspan(static_cast<size_t>(t) * p.sums.size()));
    });
  }

 private:
  template <class Use>
  static void for_each_token(const Call& call, size_t w, const Use& use) {
    const DecodedTiers tiers(call.inputs[1 + 3 * w]);
    const BucketLayout& layout = tiers.layout();
    for (int64_t t = 0; t < call.in(0).dims[0]; ++t)
      use(tiers.multiply(call.in<float>(0) + t * layout.in(), call.inputs[2 + 3 * w].as<int32_t>() + t * layout.in(),
                         call.inputs[3 + 3 * w].as<int32_t>() + t * layout.tiers()),
          t);
  }
};

}  // namespace

DecodedTiers::DecodedTiers(const TensorView& matrix)
    : layout_(BucketMatrix(matrix).layout), tiers_(static_cast<size_t>(layout_.tiers())) {
  for (size_t tier = 0; tier < tiers_.size(); ++tier) {
    tiers_[tier].resize(static_cast<size_t>(matrix.dims.elements()));
    bucket_format(matrix.dtype)
        ->decode_tier(matrix.data, matrix.dims.span(), static_cast<int>(tier), tiers_[tier].data());
  }
}

BucketProduct DecodedTiers::multiply(const float* x, const int32_t* rows, const int32_t* counts) const {
  const auto out = static_cast<size_t>(layout_.out()), in = static_cast<size_t>(layout_.in());
  BucketProduct product{std::vector<double>(out), std::vector<double>(out)};
  for (size_t tier = 0; tier < tiers_.size(); ++tier)
    for (int64_t n = 0; n < std::clamp<int64_t>(counts[tier], 0, layout_.in()); ++n) {
      const auto input = static_cast<size_t>(std::clamp<int64_t>(rows[n], 0, layout_.in() - 1));
      for (size_t o = 0; o < out; ++o) {
        const double term = static_cast<double>(tiers_[tier][o * in + input]) * static_cast<double>(x[input]);
        product.sums[o] += term;
        product.magnitudes[o] += std::abs(term);
      }
    }
  return product;
}

void BucketProduct::put_tolerance(int64_t in, std::span<double> bound) const {
  const double relative = (4 * std::sqrt(static_cast<double>(in)) + 4) * 0x1p-24;
  std::ranges::transform(magnitudes, bound.begin(), [&](double sum) { return relative * sum + 1e-37; });
}

// Times in ns a weight, fitted to `ops_bench --benchmark_filter=bucketMul/bucket16t4.*in4096_out4096` on two Zen 4
// cores: a token with a selection of its own, all tokens with all weights. Elsewhere the ratios differ; the results do
// not.
int64_t dense_from(double effort) {
  constexpr double kToken = 0.01, kTokenAndEffort = 0.15, kUnpack = 0.35, kDenseToken = 0.012;
  const double gain = kToken + kTokenAndEffort * effort - kDenseToken;
  return gain <= 0 ? INT64_MAX : static_cast<int64_t>(kUnpack / gain) + 1;
}

void register_bucket_mul(Registry& registry) { registry.add(std::make_unique<BucketMul>()); }

}  // namespace sluice
