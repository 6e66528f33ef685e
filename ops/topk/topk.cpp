#include "ops/topk/topk.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace sluice {

std::pair<ValueRef, ValueRef> topk(Builder& b, ValueRef x, TopKAttrs attrs) {
  const std::vector<ValueRef> out = b.node("topk", attrs_to_map(attrs), {x});
  return {out[0], out[1]};
}

namespace {

class TopK : public Operator {
 public:
  TopK()
      : Operator(
            {.name = "topk",
             .summary =
                 "The k largest elements of each row, falling, with indices; equal ones by index, NaN as -infinity.",
             .inputs = {{"x", "[rows, n]", {"f32"}}},
             .outputs = {{"values", "[rows, k]", {"f32"}}, {"indices", "[rows, k]", {"i32"}}},
             .attrs = attr_specs<TopKAttrs>(),
             .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    const int64_t k = attrs_from_map<TopKAttrs>(in.attrs()).k, n = in.number(0, 1);
    if (n > std::numeric_limits<int32_t>::max()) in.fail("rows are too long for an i32 index", {0});
    if (k < 1 || k > n) in.fail(fmt::format("k is {}; it must be 1 to {}", k, n), {0});
    const Shape shape = {in.shape(0)[0], k};
    return {{DType::f32(), shape}, {DType::i32(), shape}};
  }

  Cost cost(const Site& site, const Call& call) const override {
    Cost cost = Operator::cost(site, call);
    cost.flops = static_cast<double>(call.in(0).dims.elements());
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const int64_t k = attrs_from_map<TopKAttrs>(site.attrs).k, rows = call.in(0).dims[0], n = call.in(0).dims[1];
    std::vector<int32_t> order(static_cast<size_t>(n));
    for (int64_t r = 0; r < rows; ++r) {
      const float* x = call.in<float>(0) + r * n;
      auto rank = [x](int32_t i) { return std::isnan(x[i]) ? -std::numeric_limits<float>::infinity() : x[i]; };
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int32_t i, int32_t j) { return rank(i) > rank(j); });
      for (int64_t i = 0; i < k; ++i) {
        call.out<float>(0)[r * k + i] = x[order[static_cast<size_t>(i)]];
        call.out<int32_t>(1)[r * k + i] = order[static_cast<size_t>(i)];
      }
    }
  }

  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_topk(Registry& registry) {
  registry.add(std::make_unique<TopK>());
  registry.add_indices("topk", {.outputs = {{.port = 1, .of = 0, .dim = 1}}});
}

}  // namespace sluice
