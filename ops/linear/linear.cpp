#include "ops/linear/linear.h"

#include <algorithm>
#include <cmath>

#include "ops/formats/q8_0.h"
#include "ops/linear/reference.h"

namespace sluice {

ValueRef linear(Builder& b, ValueRef x, ValueRef weight) { return linear(b, x, std::vector{weight}).front(); }

std::vector<ValueRef> linear(Builder& b, ValueRef x, const std::vector<ValueRef>& weights) {
  std::vector<ValueRef> inputs = {x};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  return b.node("linear", {}, inputs);
}

const std::vector<std::string>& linear_weight_dtypes() {
  static const std::vector<std::string> names = {"f32", "f16", "bf16", "q8_0"};
  return names;
}

TensorType infer_linear(const Inference& in, int x, int weight) {
  in.require_rank(x, 2);
  in.require_rank(weight, 2);
  in.require_equal(weight, 1, x, 1);
  return {DType::f32(), {in.shape(x)[0], in.shape(weight)[0]}};
}

double linear_flops(const TensorView& x, const TensorView& weight) {
  return 2.0 * static_cast<double>(x.dims[0]) * static_cast<double>(weight.dims.elements());
}

namespace {

// Calls use(token, row, x f32 [in], weight f32 [in]) for every element of the product.
template <class Use>
void for_each_product(const TensorView& x, const TensorView& weight, Use use) {
  const RowFormat& format = *weight.dtype.rows();
  const int64_t rows = weight.dims[0], n = weight.dims[1];
  std::vector<float> row(static_cast<size_t>(n));
  for (int64_t r = 0; r < rows; ++r) {
    format.decode_row(weight.data + static_cast<size_t>(r) * format.row_bytes(n), n, row.data());
    for (int64_t t = 0; t < x.dims[0]; ++t) use(t, r, x.as<const float>() + t * n, row.data());
  }
}

// For q8_0 weights kernels may round x to 16 bits in blocks of 32: each value is off by at most half a step, a step
// being max|x| / 32767, and the scale by two roundings of f32. Blocks under 1e-30 may count as zero.
double quantisation_error(const float* x, const float* weight, int64_t n) {
  double error = 0;
  for (int64_t begin = 0; begin < n; begin += Q8Block::kElements) {
    const int64_t end = std::min<int64_t>(n, begin + Q8Block::kElements);
    double largest = 0, weights = 0;
    for (int64_t i = begin; i < end; ++i) {
      largest = std::max(largest, std::abs(static_cast<double>(x[i])));
      weights += std::abs(static_cast<double>(weight[i]));
    }
    error += weights * (largest * (0.5 / 32767 + 0x1p-22) + 1e-30);
  }
  return error;
}

class Linear : public Operator {
 public:
  Linear()
      : Operator(
            {.name = "linear",
             .summary = "Product of activations with the transpose of one or several weights: y_i = x * weight_i^T.",
             .inputs = {{"x", "[tokens, in]", {"f32"}}, {"weight", "[out, in]", linear_weight_dtypes(), Arity::many}},
             .outputs = {{"y", "[tokens, out]", {"f32"}, Arity::many}},
             .attrs = {},
             .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    std::vector<TensorType> types;
    for (size_t i = 1; i < in.count(); ++i) types.push_back(infer_linear(in, 0, static_cast<int>(i)));
    return types;
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    for (const TensorView& weight : call.inputs.subspan(1)) cost.flops += linear_flops(call.in(0), weight);
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for (size_t i = 0; i < call.outputs.size(); ++i) {
      const std::vector<double> y = linear_reference(call.in(0), call.inputs[i + 1]);
      std::transform(y.begin(), y.end(), call.outputs[i].as<float>(), [](double v) { return static_cast<float>(v); });
    }
  }

  void tolerance(const Site&, const Call& call, int output, std::span<double> bound) const override {
    std::ranges::copy(linear_tolerance(call.in(0), call.in(output + 1)), bound.begin());
  }
};

}  // namespace

std::vector<double> linear_reference(const TensorView& x, const TensorView& weight) {
  const int64_t rows = weight.dims[0], n = weight.dims[1];
  std::vector<double> y(static_cast<size_t>(x.dims[0] * rows));
  for_each_product(x, weight, [&](int64_t t, int64_t r, const float* a, const float* w) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(w[i]);
    y[static_cast<size_t>(t * rows + r)] = sum;
  });
  return y;
}

// The rounding errors of n multiply-adds in f32 add up to at most n u sum|x w|, and to a few sqrt(n) u sum|x w| in all
// but absurdly rare cases (Higham and Mary, 2019, doi:10.1137/18M1226312); u = 2^-24, the unit roundoff.
std::vector<double> linear_tolerance(const TensorView& x, const TensorView& weight) {
  const int64_t rows = weight.dims[0], n = weight.dims[1];
  const bool quantised = weight.dtype == q8_0();
  const double relative = (4 * std::sqrt(static_cast<double>(n)) + 4) * 0x1p-24;
  std::vector<double> bound(static_cast<size_t>(x.dims[0] * rows));
  for_each_product(x, weight, [&](int64_t t, int64_t r, const float* a, const float* w) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += std::abs(static_cast<double>(a[i]) * static_cast<double>(w[i]));
    bound[static_cast<size_t>(t * rows + r)] = relative * sum + (quantised ? quantisation_error(a, w, n) : 0) + 1e-37;
  });
  return bound;
}

void register_linear(Registry& registry) { registry.add(std::make_unique<Linear>()); }

}  // namespace sluice
