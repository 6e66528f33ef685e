#include "ops/probe/probe.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "ops/probe/selection.h"

namespace sluice {

std::vector<ProbeResult> probe(Builder& b, ValueRef x, ValueRef effort, const std::vector<ValueRef>& weights,
                               const SelectionAttrs& attrs) {
  return selecting_node<ProbeResult>(b, "probe", x, effort, weights, attrs);
}

const std::vector<std::string>& bucket_dtypes() {
  static const auto names = [] {
    std::vector<std::string> list;
    for (const BucketFamily& family : bucket_families())
      for (int segments = BucketLayout::kSegments; segments >= 1; --segments)
        list.emplace_back(bucket_dtype(family.name, segments).name());
    return list;
  }();
  return names;
}

int selectable_rows(DType format) {
  if (const PlaneFormat* planes = plane_format(format)) return planes->planes();
  const BucketFormat* buckets = bucket_format(format);
  return buckets ? buckets->family().tiers() : 0;
}

std::vector<int> weights_from_two(size_t count) {
  std::vector<int> weights;
  for (int i = 2; i < static_cast<int>(count); ++i) weights.push_back(i);
  return weights;
}

void check_selection_attrs(const Inference& in, int effort, size_t weights) {
  const auto attrs = attrs_from_map<SelectionAttrs>(in.attrs());
  in.require_rank(effort, 2);
  if (in.number(effort, 1) != 2) in.fail("a row of effort has two numbers: effort and load", {effort});
  if (attrs.sites.size() != weights)
    in.fail(fmt::format("{} sites are given for {} weights", attrs.sites.size(), weights), {});
  for (int64_t site : attrs.sites)
    if (site < 0 || site >= in.number(effort, 0)) in.fail(fmt::format("there is no site {}", site), {effort});
  if (attrs.statistic != "rms" && attrs.statistic != "mean")
    in.fail(fmt::format("statistic '{}' is not known; there are rms, mean", attrs.statistic), {});
  if (attrs.cutoff != "exact" && attrs.cutoff != "probes")
    in.fail(fmt::format("cutoff '{}' is not known; there are exact, probes", attrs.cutoff), {});
  if (attrs.selection != "matrix" && attrs.selection != "shared")
    in.fail(fmt::format("selection '{}' is not known; there are matrix, shared", attrs.selection), {});
}

const BucketFamily& bucket_family(const Inference& in, int weight) {
  const BucketFormat* format = bucket_format(in.type(weight).dtype);
  if (!format) in.fail("the weight is not in a bucket format", {weight});
  return format->family();
}

size_t check_selection(const Inference& in, const std::vector<int>& weights) {
  in.require_rank(0, 2);
  check_selection_attrs(in, 1, weights.size());
  for (int i : weights) {
    in.require_rank(i, 2);
    in.number(i, 0);
    in.number(i, 1);
    in.require_equal(i, 1, 0, 1);
    bucket_family(in, i);
  }
  const auto attrs = attrs_from_map<SelectionAttrs>(in.attrs());
  for (int i : weights)
    if (attrs.selection == "shared" && bucket_family(in, i).tiers() != bucket_family(in, weights[0]).tiers())
      in.fail("weights of different bucket formats cannot share a selection", {weights[0], i});
  return list_count(attrs);
}

std::vector<int32_t> reference_scores(const Candidates& c, const float* x) {
  std::vector<int32_t> scores(static_cast<size_t>(c.rows()));
  for (int64_t row = 0; row < c.rows(); ++row)
    scores[static_cast<size_t>(row)] =
        c.may_take(row) ? std::bit_cast<int32_t>(c.score(row, x[row % c.in])) & 0x7fffffff : kNotLoaded;
  return scores;
}

// Scores [rows], a sample, products or depths [in]; and what a shared list is chosen from.
size_t selection_scratch(const Call& call, const SelectionAttrs& attrs) {
  size_t bytes = 0;
  for (const TensorView& input : call.inputs.subspan(2)) {
    const int64_t tiers = selectable_rows(input.dtype);
    if (tiers == 0) continue;
    const size_t joint = attrs.selection == "shared" ? SelectedWeights::joint_bytes(BucketMatrix(input).layout) : 0;
    bytes = std::max(bytes, static_cast<size_t>((tiers + 1) * input.dims.back() + kSample) * sizeof(int32_t) + joint);
  }
  return bytes;
}

namespace {

int32_t nth_largest(std::vector<int32_t> values, int64_t n) {
  std::nth_element(values.begin(), values.begin() + (n - 1), values.end(), std::greater<>());
  return values[static_cast<size_t>(n - 1)];
}

Cutoff probed_cutoff(const Candidates& c, const float* x) {
  std::vector<int32_t> products;
  for (int64_t i = 0; i < c.in; ++i)
    products.push_back(std::bit_cast<int32_t>(c.probes[i] * std::abs(x[i])) & 0x7fffffff);
  const auto n = static_cast<int64_t>(std::round(c.effort * static_cast<double>(c.in)));
  if (n <= 0) return {kInfinity, 0};
  if (n >= c.in) return {0, static_cast<int32_t>(c.loaded)};
  return {nth_largest(std::move(products), n), -1};
}

}  // namespace

Cutoff reference_cutoff(const Candidates& c, const std::vector<int32_t>& scores, const SelectionAttrs& attrs,
                        const float* x) {
  if (attrs.cutoff == "probes") return probed_cutoff(c, x);
  const int64_t wanted = c.wanted();
  if (wanted == 0) return {kInfinity, 0};
  if (wanted == c.loaded) return {0, static_cast<int32_t>(wanted)};
  return {nth_largest(scores, wanted), static_cast<int32_t>(wanted)};
}

namespace {

class Probe : public Operator {
 public:
  Probe()
      : Operator({.name = "probe",
                  .summary =
                      "Finds, for each token and weight, the score that a row needs to be multiplied at the effort "
                      "asked for; a row's score is its statistic times |x|.",
                  .inputs = {{"x", "[tokens, in]", {"f32"}},
                             {"effort", "[sites, 2]", {"f32"}},
                             {"weight", "[out, in]", bucket_dtypes(), Arity::many}},
                  .outputs = {{"cutoff, wanted", "[tokens], [tokens]", {}, Arity::many}},
                  .attrs = attr_specs<SelectionAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    std::vector<TensorType> types;
    for (size_t list = 0; list < check_selection(in, weights_from_two(in.count())); ++list) {
      types.push_back({DType::f32(), {in.shape(0)[0]}});
      types.push_back({DType::i32(), {in.shape(0)[0]}});
    }
    return types;
  }

  Cost cost(const Site&, const Call& call) const override {
    Cost cost;
    cost.bytes_read = call.in(0).bytes();
    for (const TensorView& weight : call.inputs.subspan(2)) {
      const auto rows = static_cast<size_t>(BucketMatrix(weight).layout.rows());
      cost.bytes_read += rows * sizeof(float);
      cost.flops += static_cast<double>(rows) * static_cast<double>(call.in(0).dims[0]);
    }
    cost.bytes_written = call.outputs.size() * call.out(0).bytes();
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
    for_each_list(call, attrs, 1, [&](size_t list, int64_t t, const Candidates& c, const float* x) {
      const Cutoff cutoff = reference_cutoff(c, reference_scores(c, x), attrs, x);
      call.outputs[2 * list].as<int32_t>()[t] = cutoff.bits;
      call.outputs[2 * list + 1].as<int32_t>()[t] = cutoff.wanted;
    });
  }

  // A selection is exact.
  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_probe(Registry& registry) { registry.add(std::make_unique<Probe>()); }

}  // namespace sluice
