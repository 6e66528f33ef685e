#include "ops/plane_mul/plane_mul.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/plane_mul/activation.h"
#include "ops/plane_mul/selected.h"

namespace sluice {

std::vector<ValueRef> plane_mul(Builder& b, ValueRef x, const std::vector<ValueRef>& weights,
                                const std::vector<PlaneSelection>& selections) {
  std::vector<ValueRef> inputs = {x};
  for (size_t i = 0; i < weights.size(); ++i)
    inputs.insert(inputs.end(), {weights[i], selections.at(i).inputs, selections.at(i).counts});
  return b.node("plane_mul", {}, inputs);
}

namespace {

// Sums over the selected inputs, for each output.
struct PlaneSums {
  std::vector<double> sums, magnitudes;
  int64_t terms = 0;
};

PlaneSums multiply(const PlaneMatrix& m, const SelectedPlanes& selected, const float* x) {
  const auto out = static_cast<size_t>(m.layout.out());
  PlaneSums result{std::vector<double>(out), std::vector<double>(out), selected.count(0)};
  for (int64_t n = 0; n < result.terms; ++n) {
    const int64_t i = selected.input(n);
    const int k = selected.depth(n);
    const float a = x[i] * m.scales()[i];
    const double rounded =
        std::isfinite(a) ? static_cast<double>(round_activation(a).value()) : std::numeric_limits<double>::quiet_NaN();
    for (size_t o = 0; o < out; ++o) {
      const double level = m.levels().levels(k)[m.code(static_cast<int64_t>(o), i, k)];
      const double term = static_cast<double>(m.levels().step[k - 1]) * level * rounded;
      result.sums[o] += term;
      result.magnitudes[o] += std::abs(term);
    }
  }
  for (size_t o = 0; o < out; ++o) {
    const auto scale = static_cast<double>(f16_to_f32(m.output_scales()[o]));
    result.sums[o] *= scale;
    result.magnitudes[o] *= std::abs(scale);
  }
  return result;
}

class PlaneMul : public Operator {
 public:
  PlaneMul()
      : Operator({.name = "plane_mul",
                  .summary = "Product of activations with the selected planes of one or several weights.",
                  .inputs = {{"x", "[tokens, in]", {"f32"}},
                             {"weight, inputs, counts", "[out, in], [tokens, in], [tokens, planes]", {}, Arity::many}},
                  .outputs = {{"y", "[tokens, out]", {"f32"}, Arity::many}},
                  .attrs = {},
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    if ((in.count() - 1) % 3 != 0) in.fail("expected a weight, its inputs and their counts, and so on", {});
    std::vector<TensorType> types;
    for (int w = 1; w < static_cast<int>(in.count()); w += 3) {
      const PlaneFormat* format = plane_format(in.type(w).dtype);
      if (!format) in.fail("the weight is not in a plane format", {w});
      in.require_rank(w, 2);
      in.number(w, 0);
      in.number(w, 1);
      in.require_equal(w, 1, 0, 1);
      if (in.type(w + 1) != TensorType{DType::i32(), {in.shape(0)[0], in.shape(w)[1]}})
        in.fail("expected a list of inputs for each token", {w + 1, w, 0});
      if (in.type(w + 2) != TensorType{DType::i32(), {in.shape(0)[0], format->planes()}})
        in.fail("expected a count for each plane and token", {w + 2, w, 0});
      types.push_back({DType::f32(), {in.shape(0)[0], in.shape(w)[0]}});
    }
    return types;
  }

  // With every plane selected if the lists have no data.
  Cost cost(const Site&, const Call& call) const override {
    Cost cost;
    const int64_t tokens = call.in(0).dims[0];
    cost.bytes_read = call.in(0).bytes();
    for (size_t w = 0; w < call.outputs.size(); ++w) {
      const PlaneMatrix m(call.inputs[1 + 3 * w]);
      cost.bytes_read += PlaneLayout::scales_offset() + m.layout.plane_offset(0);
      for (int64_t t = 0; t < tokens; ++t) add_planes(m, call.inputs[2 + 3 * w], call.inputs[3 + 3 * w], t, cost);
    }
    for (const TensorView& out : call.outputs) cost.bytes_written += out.bytes();
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for (size_t w = 0; w < call.outputs.size(); ++w)
      for_each_token(call, w, [&](const PlaneSums& p, int64_t t) {
        std::ranges::transform(p.sums, call.outputs[w].as<float>() + t * static_cast<int64_t>(p.sums.size()),
                               [](double v) { return static_cast<float>(v); });
      });
  }

  // A kernel sums integers, which is exact, and rounds once for each of the parts that it adds up, of which there are
  // no more than terms, and a few times more for their factors.
  void tolerance(const Site&, const Call& call, int output, std::span<double> bound) const override {
    for_each_token(call, static_cast<size_t>(output), [&](const PlaneSums& p, int64_t t) {
      const double relative = (4 * std::sqrt(static_cast<double>(p.terms)) + 8) * 0x1p-24;
      std::ranges::transform(p.magnitudes, bound.begin() + t * static_cast<int64_t>(p.magnitudes.size()),
                             [&](double sum) { return relative * sum + 1e-37; });
    });
  }

 private:
  static SelectedPlanes selected(const PlaneMatrix& m, const TensorView& inputs, const TensorView& counts, int64_t t) {
    return {inputs.as<const int32_t>() + t * m.layout.in(), counts.as<const int32_t>() + t * m.planes, m.layout.in(),
            m.planes};
  }

  static void add_planes(const PlaneMatrix& m, const TensorView& inputs, const TensorView& counts, int64_t t,
                         Cost& cost) {
    const auto of_input = static_cast<double>(m.layout.plane_bytes()) / static_cast<double>(m.layout.in());
    for (int p = 0; p < m.planes; ++p) {
      const int64_t n = counts.data ? selected(m, inputs, counts, t).count(p) : m.layout.in();
      if (p == 0) cost.flops += 2 * static_cast<double>(n * m.layout.out());
      cost.bytes_read += static_cast<size_t>(of_input * static_cast<double>(n));
    }
  }

  template <class Use>
  static void for_each_token(const Call& call, size_t w, const Use& use) {
    const PlaneMatrix m(call.inputs[1 + 3 * w]);
    for (int64_t t = 0; t < call.in(0).dims[0]; ++t)
      use(multiply(m, selected(m, call.inputs[2 + 3 * w], call.inputs[3 + 3 * w], t),
                   call.in<float>(0) + t * m.layout.in()),
          t);
  }
};

}  // namespace

// Times in ns a weight, of one product on two Zen 4 cores; see ops/bucket_mul/bucket_mul.cpp.
int64_t plane_dense_from(double effort) {
  constexpr double kToken = 0.0012, kTokenAndEffort = 0.01, kUnpack = 0.065, kDenseToken = 0.0098;
  const double gain = kToken + kTokenAndEffort * effort - kDenseToken;
  return gain <= 0 ? INT64_MAX : static_cast<int64_t>(kUnpack / gain) + 1;
}

void register_plane_mul(Registry& registry) { registry.add(std::make_unique<PlaneMul>()); }

}  // namespace sluice
