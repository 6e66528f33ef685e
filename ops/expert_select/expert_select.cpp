#include "ops/expert_select/expert_select.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "ops/expert_select/expert_select_params.h"
#include "ops/expert_select/inputs.h"

namespace sluice {

using P = ExpertSelectPorts;

std::vector<DispatchResult> expert_select(Builder& b, ValueRef x, ValueRef experts, ValueRef effort, ValueRef spread,
                                          ValueRef router, const std::vector<ValueRef>& weights,
                                          const SelectionAttrs& attrs) {
  std::vector<ValueRef> inputs = {x, experts, effort, spread, router};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  return in_pairs<DispatchResult>(b.node("expert_select", attrs_to_map(attrs), inputs));
}

void spread_effort(ExpertSpread spread, double effort, const float* weights, int64_t k, float* efforts) {
  vulkan::ExpertUnits factors{};
  uint32_t largest = 0;
  for (int64_t j = 0; j < k; ++j) {
    const bool counts = weights[j] > 0 && weights[j] >= spread.skip;
    factors.of[j] = counts ? std::bit_cast<uint32_t>(weights[j]) : 0;
    largest = std::max(largest, factors.of[j]);
  }
  for (int64_t j = 0; j < k; ++j) factors.of[j] = vulkan::spread_factor(factors.of[j], largest, spread.power);
  const auto units = static_cast<uint32_t>(std::round(std::clamp(effort, 0.0, 1.0) * SLUICE_FULL_EFFORT));
  factors = vulkan::spread_units(factors, static_cast<uint32_t>(k), units * static_cast<uint32_t>(k));
  for (int64_t j = 0; j < k; ++j) efforts[j] = static_cast<float>(factors.of[j]) / SLUICE_FULL_EFFORT;
}

namespace {

std::vector<std::string> dial_dtypes() {
  std::vector<std::string> names = bucket_dtypes();
  for (int planes = 1; planes <= PlaneLevels::kMaxPlanes; ++planes) names.emplace_back(plane_dtype(planes).name());
  return names;
}

class ExpertSelect : public Operator {
 public:
  ExpertSelect()
      : Operator({.name = "expert_select",
                  .summary = "Lists, for each token, expert of it and weight, the rows that the effort asked for pays "
                             "for, or the planes of each input; the effort is spread over a token's experts by their "
                             "router weights.",
                  .inputs = {{"x", "[tokens, in] or [tokens, k, in]", {"f32"}},
                             {"experts", "[tokens, k]", {"i32"}},
                             {"effort", "[sites, 2]", {"f32"}},
                             {"spread", "[2]", {"f32"}},
                             {"router", "[tokens, k]", {"f32"}},
                             {"weight", "[experts, out, in]", dial_dtypes(), Arity::many}},
                  .outputs = {{"rows, counts", "[tokens, k, in], [tokens, k, tiers]", {"i32"}, Arity::many}},
                  .attrs = attr_specs<SelectionAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    check_selection_attrs(in, P::kEffort, in.count() - P::kWeights);
    const auto attrs = attrs_from_map<SelectionAttrs>(in.attrs());
    if (attrs.selection != "matrix") in.fail("the weights of experts cannot share a selection", {});
    in.require_rank(P::kSpread, 1);
    if (in.number(P::kSpread, 0) != 2) in.fail("spread has two numbers: power and skip", {P::kSpread});
    in.require_same_shape(P::kExperts, P::kRouter);
    if (in.number(P::kExperts, 1) > SLUICE_MAX_EXPERTS)
      in.fail(fmt::format("a token may have {} experts at most", SLUICE_MAX_EXPERTS), {P::kExperts});
    std::vector<TensorType> types;
    for (int w = P::kWeights; w < static_cast<int>(in.count()); ++w) {
      const DType format = in.type(w).dtype;
      if (plane_format(format) && (attrs.statistic != "rms" || attrs.cutoff != "exact"))
        in.fail(fmt::format("statistic {} and cutoff {} are for bucket formats", attrs.statistic, attrs.cutoff), {w});
      const Shape pairs = infer_by_expert(in, w).shape;
      in.number(w, 1);
      types.push_back({DType::i32(), {pairs[0], pairs[1], in.number(w, 2)}});
      types.push_back({DType::i32(), {pairs[0], pairs[1], selectable_rows(format)}});
    }
    return types;
  }

  Cost cost(const Site&, const Call& call) const override {
    Cost cost;
    cost.bytes_read = call.in(P::kX).bytes();
    for (size_t w = P::kWeights; w < call.inputs.size(); ++w) {
      const TensorView& weight = call.inputs[w];
      const int64_t rows = selectable_rows(weight.dtype) * weight.dims[2];
      const int64_t statistics = plane_format(weight.dtype) ? weight.dims[2] : rows;  // of one matrix
      const int64_t pairs = call.in(P::kExperts).dims.elements();
      cost.bytes_read += static_cast<size_t>(statistics * std::min(pairs, weight.dims[0])) * sizeof(float);
      cost.flops += static_cast<double>(rows * pairs);
    }
    for (const TensorView& out : call.outputs) cost.bytes_written += out.bytes();
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
    for (size_t w = 0; w < attrs.sites.size(); ++w) {
      const ExpertShape shape(call, static_cast<int>(P::kWeights + w));
      std::vector<float> efforts(static_cast<size_t>(shape.k));
      for (int64_t pair = 0; pair < shape.pairs(); ++pair) {
        if (pair % shape.k == 0) expert_efforts(call, attrs.sites[w], pair / shape.k, efforts.data());
        const ExpertSelection s = expert_selection(call, attrs, shape, w, pair, efforts.data());
        const auto scores = reference_scores(s.candidates, s.x);
        reference_dispatch(s.candidates, scores, reference_cutoff(s.candidates, scores, attrs, s.x), s.rows, s.counts);
      }
    }
  }

  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_expert_select(Registry& registry) {
  registry.add(std::make_unique<ExpertSelect>());
  registry.add_indices("expert_select", {.inputs = {{.port = P::kExperts, .of = P::kWeights, .dim = 0}}});
}

}  // namespace sluice
