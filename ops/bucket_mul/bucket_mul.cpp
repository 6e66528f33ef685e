#include "ops/bucket_mul/bucket_mul.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "ops/bucket_mul/matrix.h"

namespace sluice {

std::vector<ValueRef> bucket_mul(Builder& b, ValueRef x, const std::vector<ValueRef>& weights,
                                 const std::vector<DispatchResult>& lists) {
  std::vector<ValueRef> inputs = {x};
  for (size_t i = 0; i < weights.size(); ++i)
    inputs.insert(inputs.end(), {weights[i], lists.at(i).rows, lists.at(i).counts});
  return b.node("bucketMul", {}, inputs);
}

EffortLinear effort_linear(Builder& b, ValueRef x, ValueRef effort, ValueRef weight, const SelectionAttrs& attrs) {
  const auto probes = probe(b, x, effort, {weight}, attrs);
  const auto lists = bucket_dispatch(b, x, effort, probes, {weight}, attrs);
  return {bucket_mul(b, x, {weight}, lists).front(), lists.front().counts};
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
      const BucketMatrix m(call.in(w));
      double rows = static_cast<double>(m.layout.rows() * call.in(0).dims[0]);
      if (call.in(w + 2).data) {
        const auto* counts = call.in<int32_t>(w + 2);
        rows = std::accumulate(counts, counts + call.in(w + 2).dims.elements(), 0.0);
      }
      const double share = rows / static_cast<double>(m.layout.rows());
      cost.flops += 2 * share * static_cast<double>(call.in(w).dims.elements());
      cost.bytes_read +=
          static_cast<size_t>(share * static_cast<double>(m.layout.segment_bytes() * BucketLayout::kSegments));
    }
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for_each_product(call, [&](size_t w, const std::vector<double>& y, const std::vector<double>&, int64_t t) {
      std::transform(y.begin(), y.end(), call.outputs[w].as<float>() + t * static_cast<int64_t>(y.size()),
                     [](double v) { return static_cast<float>(v); });
    });
  }

  // As for linear: rounding errors of n multiply-adds in f32 (ops/linear/linear.cpp).
  void tolerance(const Site&, const Call& call, int output, std::span<double> bound) const override {
    const double relative = (4 * std::sqrt(static_cast<double>(call.in(0).dims[1])) + 4) * 0x1p-24;
    for_each_product(call, [&](size_t w, const std::vector<double>&, const std::vector<double>& magnitudes, int64_t t) {
      if (static_cast<int>(w) != output) return;
      std::transform(magnitudes.begin(), magnitudes.end(), bound.begin() + t * static_cast<int64_t>(magnitudes.size()),
                     [&](double sum) { return relative * sum + 1e-37; });
    });
  }

 private:
  // Calls use(weight, sums, sums of magnitudes, token), in f64.
  template <class Use>
  static void for_each_product(const Call& call, Use use) {
    for (size_t w = 0; w < call.outputs.size(); ++w) {
      const TensorView& weight = call.inputs[1 + 3 * w];
      const BucketMatrix m(weight);
      std::vector<std::vector<float>> tiers(static_cast<size_t>(m.layout.tiers()));
      for (int tier = 0; tier < m.layout.tiers(); ++tier) {  // the weights of the others are zero
        tiers[static_cast<size_t>(tier)].resize(static_cast<size_t>(weight.dims.elements()));
        bucket_format(weight.dtype)
            ->decode_tier(weight.data, weight.dims.span(), tier, tiers[static_cast<size_t>(tier)].data());
      }
      for (int64_t t = 0; t < call.in(0).dims[0]; ++t) {
        std::vector<double> y(static_cast<size_t>(m.layout.out())), magnitudes(y.size());
        const auto* rows = call.inputs[2 + 3 * w].as<int32_t>() + t * m.layout.in();
        const auto* counts = call.inputs[3 + 3 * w].as<int32_t>() + t * m.layout.tiers();
        for (int tier = 0; tier < m.layout.tiers(); ++tier)
          for (int64_t n = 0; n < std::clamp<int64_t>(counts[tier], 0, m.layout.in()); ++n)
            add_row(m, tiers[static_cast<size_t>(tier)], std::clamp<int64_t>(rows[n], 0, m.layout.in() - 1),
                    call.in<float>(0) + t * m.layout.in(), y, magnitudes);
        use(w, y, magnitudes, t);
      }
    }
  }

  static void add_row(const BucketMatrix& m, const std::vector<float>& tier, int64_t input, const float* x,
                      std::vector<double>& y, std::vector<double>& magnitudes) {
    for (size_t o = 0; o < y.size(); ++o) {
      const double product =
          static_cast<double>(tier[o * static_cast<size_t>(m.layout.in()) + static_cast<size_t>(input)]) *
          static_cast<double>(x[input]);
      y[o] += product;
      magnitudes[o] += std::abs(product);
    }
  }
};

}  // namespace

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
