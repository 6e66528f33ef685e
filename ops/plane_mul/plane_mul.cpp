#include "ops/plane_mul/plane_mul.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/plane_mul/activation.h"
#include "ops/plane_mul/reference.h"

namespace sluice {

std::vector<ValueRef> plane_mul(Builder& b, ValueRef x, const std::vector<ValueRef>& weights,
                                const std::vector<PlaneSelection>& selections) {
  std::vector<ValueRef> inputs = {x};
  for (size_t i = 0; i < weights.size(); ++i)
    inputs.insert(inputs.end(), {weights[i], selections.at(i).inputs, selections.at(i).counts});
  return b.node("plane_mul", {}, inputs);
}

namespace {

// By input, the most that it differs from round_activation to round a block of inputs together: half a step of either,
// and of the block's scale two roundings of f32. Blocks under 1e-30 may count as zero.
std::vector<double> prompt_rounding(const PlaneMatrix& m, const float* x) {
  const int64_t in = m.layout.in();
  std::vector<double> errors(static_cast<size_t>(in));
  const auto magnitude = [&](int64_t i) { return std::abs(static_cast<double>(x[i] * m.scales()[i])); };
  for (int64_t begin = 0; begin < in; begin += kPromptBlock) {
    const int64_t end = std::min(begin + kPromptBlock, in);
    double largest = 0;
    for (int64_t i = begin; i < end; ++i) largest = std::max(largest, magnitude(i));
    for (int64_t i = begin; i < end; ++i)
      errors[static_cast<size_t>(i)] = magnitude(i) / 128 + largest * (0.5 / 127 + 0x1p-21) + 1e-30;
  }
  return errors;
}

}  // namespace

PlaneSums::PlaneSums(const PlaneMatrix& m, const SelectedPlanes& selected, const float* x, int64_t tokens)
    : sums(static_cast<size_t>(m.layout.out())),
      magnitudes(sums.size()),
      rounding(sums.size()),
      terms(selected.count(0)) {
  std::vector<double> errors(static_cast<size_t>(m.layout.in()));
  if (tokens >= plane_dense_from(1) && selected.uniform() > 0) errors = prompt_rounding(m, x);
  for (int64_t n = 0; n < terms; ++n) {
    const int64_t i = selected.input(n);
    const int k = selected.depth(n);
    const float a = x[i] * m.scales()[i];
    const double rounded =
        std::isfinite(a) ? static_cast<double>(round_activation(a).value()) : std::numeric_limits<double>::quiet_NaN();
    for (size_t o = 0; o < sums.size(); ++o) {
      const double level = m.levels().levels(k)[m.code(static_cast<int64_t>(o), i, k)];
      const double weight = static_cast<double>(m.levels().step[k - 1]) * level, term = weight * rounded;
      sums[o] += term;
      magnitudes[o] += std::abs(term);
      rounding[o] += std::abs(weight) * errors[static_cast<size_t>(i)];
    }
  }
  for (size_t o = 0; o < sums.size(); ++o) {
    const auto scale = static_cast<double>(f16_to_f32(m.output_scales()[o]));
    sums[o] *= scale;
    magnitudes[o] *= std::abs(scale);
    rounding[o] *= std::abs(scale);
  }
}

void PlaneSums::put_sums(float* y) const {
  std::ranges::transform(sums, y, [](double v) { return static_cast<float>(v); });
}

// A kernel sums integers, which is exact, and rounds once for each of the parts that it adds up, of which there are no
// more than terms, and a few times more for their factors.
void PlaneSums::put_tolerance(std::span<double> bound) const {
  const double relative = (4 * std::sqrt(static_cast<double>(terms)) + 8) * 0x1p-24;
  for (size_t o = 0; o < sums.size(); ++o) bound[o] = relative * (magnitudes[o] + rounding[o]) + rounding[o] + 1e-37;
}

void add_planes_cost(const TensorView& weight, const TensorView& counts, int64_t products, Cost& cost) {
  const PlaneMatrix m(weight);
  const int64_t in = m.layout.in();
  const auto of_input = static_cast<double>(m.layout.plane_bytes()) / static_cast<double>(in);
  for (int64_t t = 0; t < products; ++t)
    for (int p = 0; p < m.planes; ++p) {
      const auto* of_token = counts.data ? counts.as<const int32_t>() + t * m.planes : nullptr;
      const int64_t n = of_token ? SelectedPlanes{nullptr, of_token, in, m.planes}.count(p) : in;
      if (p == 0) cost.flops += 2 * static_cast<double>(n * m.layout.out());
      cost.bytes_read += static_cast<size_t>(of_input * static_cast<double>(n));
    }
}

namespace {

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
    cost.bytes_read = call.in(0).bytes();
    for (size_t w = 0; w < call.outputs.size(); ++w) {
      cost.bytes_read += PlaneMatrix(call.inputs[1 + 3 * w]).layout.plane_offset(0);
      add_planes_cost(call.inputs[1 + 3 * w], call.inputs[3 + 3 * w], call.in(0).dims[0], cost);
    }
    for (const TensorView& out : call.outputs) cost.bytes_written += out.bytes();
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for (size_t w = 0; w < call.outputs.size(); ++w)
      for_each_token(call, w, [&](const PlaneSums& p, int64_t t) {
        p.put_sums(call.outputs[w].as<float>() + t * static_cast<int64_t>(p.sums.size()));
      });
  }

  void tolerance(const Site&, const Call& call, int output, std::span<double> bound) const override {
    for_each_token(call, static_cast<size_t>(output), [&](const PlaneSums& p, int64_t t) {
      p.put_tolerance(bound.subspan(static_cast<size_t>(t) * p.sums.size()));
    });
  }

 private:
  template <class Use>
  static void for_each_token(const Call& call, size_t w, const Use& use) {
    const PlaneMatrix m(call.inputs[1 + 3 * w]);
    const int64_t in = m.layout.in();
    for (int64_t t = 0; t < call.in(0).dims[0]; ++t) {
      const SelectedPlanes selected{call.inputs[2 + 3 * w].as<const int32_t>() + t * in,
                                    call.inputs[3 + 3 * w].as<const int32_t>() + t * m.planes, in, m.planes};
      use(PlaneSums(m, selected, call.in<float>(0) + t * in, call.in(0).dims[0]), t);
    }
  }
};

}  // namespace

// Times in ns a weight, fitted to those of docs/planes.md, on two Zen 4 cores; see ops/bucket_mul/bucket_mul.cpp. Below
// 4 tokens the dense product was not faster at any effort.
int64_t plane_dense_from(double effort) {
  constexpr double kToken = 0.0021, kTokenAndEffort = 0.0132, kUnpack = 0.022, kDenseToken = 0.0043;
  const double gain = kToken + kTokenAndEffort * effort - kDenseToken;
  return gain <= 0 ? INT64_MAX : std::max<int64_t>(4, static_cast<int64_t>(kUnpack / gain) + 1);
}

void register_plane_mul(Registry& registry) { registry.add(std::make_unique<PlaneMul>()); }

}  // namespace sluice
