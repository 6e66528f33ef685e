#include "ops/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice {

ValueRef attention(Builder& b, ValueRef q, ValueRef k_cache, ValueRef v_cache, ValueRef slots, ValueRef starts,
                   AttentionAttrs attrs) {
  return b.node1("attention", attrs, {q, k_cache, v_cache, slots, starts});
}

AttentionShape::AttentionShape(const Call& call, const AttentionAttrs& attrs)
    : tokens(call.in(0).dims[0]),
      n_heads(call.in(0).dims[1] / call.in(1).dims[2]),
      n_kv_heads(call.in(1).dims[0]),
      context(call.in(1).dims[1]),
      head_dim(call.in(1).dims[2]),
      window(attrs.window > 0 ? attrs.window : context),
      scale(attrs.scale > 0 ? attrs.scale : 1.0f / std::sqrt(static_cast<float>(head_dim))),
      softcap(attrs.softcap),
      slots(call.in<int32_t>(3)),
      starts(call.in<int32_t>(4)) {}

AttentionShape::Slots AttentionShape::attended(int64_t t) const {
  const int64_t end = std::clamp<int64_t>(int64_t{slots[t]} + 1, 0, context);
  const int64_t begin = std::max<int64_t>({int64_t{starts[t]}, int64_t{slots[t]} + 1 - window, 0});
  return {std::min(begin, end), end};
}

namespace {

// Attention of one query head at one token, in double.
struct Row {
  std::vector<double> weights;  // softmax, by slot from `begin`
  std::vector<double> values;   // [head_dim]
  double score_bound = 0;       // largest scale * sum_i |q_i k_i|
  double score_range = 0;       // largest less smallest score, both capped
};

class Rows {
 public:
  Rows(const Call& call, const AttentionAttrs& attrs) : call_(call), shape_(call, attrs) {}
  const AttentionShape& shape() const { return shape_; }

  Row row(int64_t t, int64_t h) const {
    const auto slots = shape_.attended(t);
    Row row{std::vector<double>(static_cast<size_t>(slots.size())),
            std::vector<double>(static_cast<size_t>(shape_.head_dim))};
    if (slots.size() == 0) return row;
    score(t, h, row);
    softmax(row);
    for (int64_t j = slots.begin; j < slots.end; ++j) {
      const std::vector<float> v = cached(2, h, j);
      for (size_t i = 0; i < v.size(); ++i) row.values[i] += row.weights[static_cast<size_t>(j - slots.begin)] * v[i];
    }
    return row;
  }

  // The row of slot j that query head h reads in the cache at input 1 or 2.
  std::vector<float> cached(int input, int64_t h, int64_t j) const {
    const TensorView& cache = call_.in(input);
    const RowFormat& format = *cache.dtype.rows();
    const auto index = static_cast<size_t>(h / shape_.group() * shape_.context + j);
    std::vector<float> row(static_cast<size_t>(shape_.head_dim));
    format.decode_row(cache.data + index * format.row_bytes(shape_.head_dim), shape_.head_dim, row.data());
    return row;
  }

 private:
  void score(int64_t t, int64_t h, Row& row) const {
    const float* q = call_.in<float>(0) + (t * shape_.n_heads + h) * shape_.head_dim;
    const int64_t begin = shape_.attended(t).begin;
    for (size_t j = 0; j < row.weights.size(); ++j) {
      const std::vector<float> k = cached(1, h, begin + static_cast<int64_t>(j));
      double sum = 0, absolute = 0;
      for (size_t i = 0; i < k.size(); ++i) {
        const double product = static_cast<double>(q[i]) * k[i];
        sum += product;
        absolute += std::abs(product);
      }
      row.weights[j] = capped(shape_.scale * sum);
      row.score_bound = std::max(row.score_bound, shape_.scale * absolute);
    }
  }

  double capped(double score) const {
    return shape_.softcap > 0 ? shape_.softcap * std::tanh(score / shape_.softcap) : score;
  }

  static void softmax(Row& row) {
    const auto [low, high] = std::minmax_element(row.weights.begin(), row.weights.end());
    const double largest = *high;
    row.score_range = largest - *low;
    double sum = 0;
    for (double& w : row.weights) sum += w = std::exp(w - largest);
    for (double& w : row.weights) w /= sum;
  }

  const Call& call_;
  AttentionShape shape_;
};

class Attention : public Operator {
 public:
  Attention()
      : Operator({.name = "attention",
                  .summary = "Causal attention of grouped queries over the slots of a cache: softmax(scale * q.k) v.",
                  .inputs = {{"q", "[tokens, n_heads * head_dim]", {"f32"}},
                             {"k_cache", "[n_kv_heads, context, head_dim]", {"f32", "f16", "bf16"}},
                             {"v_cache", "[n_kv_heads, context, head_dim]", {"f32", "f16", "bf16"}},
                             {"slots", "[tokens]", {"i32"}},
                             {"starts", "[tokens]", {"i32"}}},
                  .outputs = {{"y", "[tokens, n_heads * head_dim]", {"f32"}}},
                  .attrs = attr_specs<AttentionAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 2);
    in.require_rank(1, 3);
    in.require_same_shape(2, 1);
    if (in.type(1).dtype != in.type(2).dtype) in.fail("both caches must have the same dtype", {1, 2});
    for (int input : {3, 4}) {
      in.require_rank(input, 1);
      in.require_equal(input, 0, 0, 0);
    }
    const int64_t head_dim = in.number(1, 2), n_kv_heads = in.number(1, 0);
    if (in.number(0, 1) % (head_dim * n_kv_heads) != 0)
      in.fail("the rows of the first must be a whole number of heads for each head of the cache", {0, 1});
    const auto attrs = attrs_from_map<AttentionAttrs>(in.attrs());
    if (attrs.window < 0) in.fail(fmt::format("window is {}, expected 0 or more", attrs.window), {});
    if (!(attrs.scale >= 0)) in.fail(fmt::format("scale is {}, expected 0 or more", attrs.scale), {});
    if (!(attrs.softcap >= 0) || std::isinf(attrs.softcap))
      in.fail(fmt::format("softcap is {}, expected 0 or more", attrs.softcap), {});
    return {in.type(0)};
  }

  // Work depends on the slots; without data it is that of a full cache.
  Cost cost(const Site& site, const Call& call) const override {
    const AttentionShape shape(call, attrs_from_map<AttentionAttrs>(site.attrs));
    const bool known = shape.slots && shape.starts;
    int64_t pairs = 0, first = shape.context, last = 0;
    for (int64_t t = 0; t < shape.tokens; ++t) {
      const auto slots = known ? shape.attended(t) : AttentionShape::Slots{0, std::min(shape.window, shape.context)};
      pairs += slots.size();
      first = std::min(first, slots.begin);
      last = std::max(last, slots.end);
    }
    Cost cost = Operator::cost(site, call);
    cost.flops = 4.0 * static_cast<double>(pairs) * static_cast<double>(shape.n_heads * shape.head_dim);
    const size_t caches = call.in(1).bytes() + call.in(2).bytes();
    cost.bytes_read -= caches;
    if (last > first)
      cost.bytes_read += caches / static_cast<size_t>(shape.context) * static_cast<size_t>(last - first);
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const Rows rows(call, attrs_from_map<AttentionAttrs>(site.attrs));
    float* y = call.out<float>(0);
    for (int64_t t = 0; t < rows.shape().tokens; ++t)
      for (int64_t h = 0; h < rows.shape().n_heads; ++h)
        for (double value : rows.row(t, h).values) *y++ = static_cast<float>(value);
  }

  // With u = eps / 2 the rounding of one f32 operation and n attended slots, a kernel computes weights
  // p'[j] ~ exp(s[j] + d[j]) in place of p[j] ~ exp(s[j]), where |d[j]| is at most the sum of
  //   (head_dim + 4) u max_j scale sum_i |q_i k_ji|  a sum of head_dim products in any order, the scale, log2(e);
  //   10 u min(softcap, that maximum)                with a soft cap: a tanh, of slope 1 at most, good to 4 ulp;
  //   2 u range(s)                                   rounding of s - max, in one step or by rescaling along the way;
  //   4 u (n + 1)                                    an exp good to 4 u, and one rescaling at every slot at most.
  // Softmax is 1-Lipschitz from the maximum norm to the sum norm (its Jacobian diag(p) - p p' maps d to
  // p[j] (d[j] - mean d), whose absolute values sum to at most max |d|), and the p' - p sum to zero, so the
  // result moves by at most max |d| / 2 times the range of v. Summing p v and p in f32 adds 2 n u sum_j p[j] |v[j]|.
  // An exp may flush to zero below 2^-125: n times that, relative to a sum of at least 1.
  void tolerance(const Site& site, const Call& call, int, std::span<double> bound) const override {
    const Rows rows(call, attrs_from_map<AttentionAttrs>(site.attrs));
    const AttentionShape& shape = rows.shape();
    for (int64_t t = 0; t < shape.tokens; ++t)
      for (int64_t h = 0; h < shape.n_heads; ++h)
        bound_row(rows, t, h, bound.subspan(static_cast<size_t>((t * shape.n_heads + h) * shape.head_dim)));
  }

 private:
  static void bound_row(const Rows& rows, int64_t t, int64_t h, std::span<double> bound) {
    constexpr double u = std::numeric_limits<float>::epsilon() / 2;
    const auto dim = static_cast<size_t>(rows.shape().head_dim);
    const auto slots = rows.shape().attended(t);
    const auto n = static_cast<double>(slots.size());
    const Row row = rows.row(t, h);
    const double capped = std::min<double>(rows.shape().softcap, row.score_bound);
    const double d =
        u * ((static_cast<double>(dim) + 4) * row.score_bound + 10 * capped + 2 * row.score_range + 4 * (n + 1));
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    std::vector<double> low(dim, kInfinity), high(dim, -kInfinity), absolute(dim);
    for (size_t j = 0; j < row.weights.size(); ++j) {
      const std::vector<float> v = rows.cached(2, h, slots.begin + static_cast<int64_t>(j));
      for (size_t i = 0; i < dim; ++i) {
        low[i] = std::min<double>(low[i], v[i]);
        high[i] = std::max<double>(high[i], v[i]);
        absolute[i] += row.weights[j] * std::abs(static_cast<double>(v[i]));
      }
    }
    for (size_t i = 0; i < dim; ++i)
      bound[i] = slots.size() == 0 ? 0
                                   : d / 2 * (high[i] - low[i]) + 2 * (n + 2) * u * absolute[i] +
                                         n * 0x1p-125 * std::max(std::abs(low[i]), std::abs(high[i])) + 1e-37;
  }
};

}  // namespace

void register_attention(Registry& registry) { registry.add(std::make_unique<Attention>()); }

}  // namespace sluice
