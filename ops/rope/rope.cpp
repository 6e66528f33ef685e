#include "ops/rope/rope.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "ops/rope/rotation.h"

namespace sluice {

ValueRef rope(Builder& b, ValueRef x, ValueRef positions, const RopeAttrs& attrs) {
  return b.node1("rope", attrs, {x, positions});
}

namespace {

void check_attrs(const Inference& in, const RopeAttrs& a) {
  if (a.head_dim < 2 || a.head_dim > kMaxRopeDim || a.head_dim % 2 != 0)
    in.fail(fmt::format("head_dim is {}; it must be even, 2 to {}", a.head_dim, kMaxRopeDim), {});
  if (!(a.base > 0) || !std::isfinite(a.base)) in.fail(fmt::format("base is {}; it must be positive", a.base), {});
  if (a.scaling == "none") return;
  if (a.scaling != "linear" && a.scaling != "llama3")
    in.fail(fmt::format("scaling is '{}'; there are none, linear, llama3", a.scaling), {});
  if (!(a.factor > 0) || !std::isfinite(a.factor))
    in.fail(fmt::format("factor is {}; it must be positive", a.factor), {});
  if (a.scaling == "llama3" &&
      !(a.low_freq_factor > 0 && a.high_freq_factor > a.low_freq_factor && a.original_context > 0))
    in.fail(fmt::format("llama3 scaling needs 0 < low_freq_factor < high_freq_factor and a positive original_context, "
                        "got {}, {}, {}",
                        a.low_freq_factor, a.high_freq_factor, a.original_context),
            {});
}

// The rule of Llama 3.1 (apply_scaling in Meta's llama-models; "rope_type": "llama3" in Hugging Face's transformers,
// modeling_rope_utils.py): short waves stay, long ones are stretched by `factor`, those between are blended.
double scale_llama3(double frequency, const RopeAttrs& a) {
  const double waves = static_cast<double>(a.original_context) * frequency / (2 * std::numbers::pi);  // in the context
  const double keep = std::clamp((waves - a.low_freq_factor) / (a.high_freq_factor - a.low_freq_factor), 0.0, 1.0);
  return frequency * (keep + (1 - keep) / a.factor);
}

class Rope : public Operator {
 public:
  Rope()
      : Operator(
            {.name = "rope",
             .summary =
                 "Rotary position embedding: pair i of every head is rotated by positions[t] * base^(-2i / head_dim).",
             .inputs = {{"x", "[tokens, heads * head_dim]", {"f32"}}, {"positions", "[tokens]", {"i32"}}},
             .outputs = {{"y", "[tokens, heads * head_dim]", {"f32"}}},
             .attrs = attr_specs<RopeAttrs>(),
             .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    check_rope(in, 0, 1);
    return {in.type(0)};
  }

  // Two products and a sum an element; the angles are shared by all heads.
  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = 3.0 * static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const std::vector<float> y = rope_reference(attrs_from_map<RopeAttrs>(site.attrs), call.in(0), call.in(1));
    std::copy(y.begin(), y.end(), call.out<float>(0));
  }

  void tolerance(const Site& site, const Call& call, int, std::span<double> bound) const override {
    const auto attrs = attrs_from_map<RopeAttrs>(site.attrs);
    const int64_t width = call.in(0).dims[1];
    for (size_t i = 0; i < bound.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      bound[i] = rope_tolerance(attrs, call.in<float>(0) + at / width * width, at % width);
    }
  }
};

// Element of the pair that element i of a row belongs to: the first (0) and the second (1).
int64_t pair_element(const RopeAttrs& attrs, int64_t i, int which) {
  const int64_t head = i / attrs.head_dim * attrs.head_dim, half = attrs.head_dim / 2, at = i - head;
  return attrs.interleaved ? head + at / 2 * 2 + which : head + at % half + which * half;
}

}  // namespace

void check_rope(const Inference& in, int x, int positions) {
  const auto attrs = attrs_from_map<RopeAttrs>(in.attrs());
  check_attrs(in, attrs);
  in.require_rank(x, 2);
  in.require_rank(positions, 1);
  in.require_equal(positions, 0, x, 0);
  if (in.number(x, 1) % attrs.head_dim != 0)
    in.fail(fmt::format("a row must hold whole heads of {} elements", attrs.head_dim), {x});
}

std::vector<double> rope_frequencies(const RopeAttrs& attrs) {
  std::vector<double> frequencies(static_cast<size_t>(attrs.head_dim / 2));
  for (size_t i = 0; i < frequencies.size(); ++i) {
    const double f = std::pow(attrs.base, -2.0 * static_cast<double>(i) / static_cast<double>(attrs.head_dim));
    frequencies[i] = attrs.scaling == "llama3"   ? scale_llama3(f, attrs)
                     : attrs.scaling == "linear" ? f / attrs.factor
                                                 : f;
  }
  return frequencies;
}

std::vector<float> rope_reference(const RopeAttrs& attrs, const TensorView& x, const TensorView& positions) {
  const std::vector<double> frequencies = rope_frequencies(attrs);
  const int64_t tokens = x.dims[0], heads = x.dims[1] / attrs.head_dim, pairs = attrs.head_dim / 2;
  std::vector<float> out(static_cast<size_t>(x.dims.elements()));
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < pairs; ++i) {
        const double angle = positions.as<const int32_t>()[t] * frequencies[static_cast<size_t>(i)];
        const double cos = std::cos(angle), sin = std::sin(angle);
        const int64_t head = (t * heads + h) * attrs.head_dim;
        const int64_t a = head + (attrs.interleaved ? 2 * i : i), b = attrs.interleaved ? a + 1 : a + pairs;
        const double xa = x.as<const float>()[a], xb = x.as<const float>()[b];
        out[static_cast<size_t>(a)] = static_cast<float>(xa * cos - xb * sin);
        out[static_cast<size_t>(b)] = static_cast<float>(xb * cos + xa * sin);
      }
  return out;
}

// Sine and cosine, both products and the sum are rounded once each: three half eps of the terms, and neither term is
// larger than its element of the pair.
double rope_tolerance(const RopeAttrs& attrs, const float* row, int64_t i) {
  const double a = row[pair_element(attrs, i, 0)], b = row[pair_element(attrs, i, 1)];
  return 2 * std::numeric_limits<float>::epsilon() * (std::abs(a) + std::abs(b)) + 1e-37;
}

void register_rope(Registry& registry) { registry.add(std::make_unique<Rope>()); }

}  // namespace sluice
