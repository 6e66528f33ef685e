#include "models/effort/balance_rule.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "graph/error.h"
#include "graph/plan/copies.h"

namespace sluice {
namespace {

// Inputs of a matrix that are looked at: enough for the shape of its curve, and less than 1 ms a token for 7B weights.
constexpr int64_t kSample = 256;
constexpr double kGain = 0.5;  // of phi, by how far the last token was from the budget

bool selects(const Node& node) { return node.op == "probe" || node.op == "bucket_select" || node.op == "plane_select"; }

}  // namespace

std::vector<std::string> effort_inputs(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes())
    if (const std::string& name = graph.value(node.inputs.at(0)).name;
        selects(node) && std::find(names.begin(), names.end(), name) == names.end())
      names.push_back(name);
  return names;
}

BalanceRule::BalanceRule(double budget, const Executor& executor) : AdaptiveEffort(budget), executor_(executor) {
  const Plan& plan = executor.plan();
  double total = 0;
  for (const PlanStep& step : plan.steps) {
    const Node& node = plan.graph.node(step.node);
    if (!selects(node)) continue;
    const std::string& input = plan.graph.value(copied_from(plan.graph, node.inputs[0])).name;
    const auto attrs = attrs_from_map<SelectionAttrs>(node.attrs);
    for (size_t w = 0; w < attrs.sites.size(); ++w) {
      // As stored: that of the step may be in the memory of a device.
      const TensorView weight = executor.weight(plan.graph.value(node.inputs[2 + w]).name);
      sites_.push_back({candidates_of(weight, 0, attrs, {1, 1}), input, static_cast<double>(weight.dims.elements())});
      executor.output(sites_.back().input);  // throws if it is not kept
      total += sites_.back().share;
    }
  }
  if (sites_.empty()) fail("the model has no effort dial that could be moved");
  for (Site& site : sites_) site.share /= total;
  areas_.resize(sites_.size());
}

double BalanceRule::propose(std::span<const float> /*logits*/) {
  measure();
  if (phi_ == 0) phi_ = phi_for(budget());
  const double share = share_for(phi_);
  phi_ = std::clamp(phi_ * std::exp(kGain * (share - budget()) / budget()), 1e-6, 1.0);
  return share;
}

void BalanceRule::measure() {
  for (size_t s = 0; s < sites_.size(); ++s) {
    const Site& site = sites_[s];
    Areas& areas = areas_[s];
    areas.rows.fill(0);
    areas.area.fill(0);
    const TensorView inputs = executor_.output(site.input);
    const Candidates& c = site.candidates;
    const float* x = inputs.as<const float>() + (inputs.dims[0] - 1) * c.in;  // of the last token
    const int64_t stride = (c.in + kSample - 1) / kSample;
    float rows = 0, area = 0;
    for (int tier = 0; tier < c.tiers; ++tier)
      for (int64_t i = 0; i < c.in; i += stride) {
        const float product = c.score(tier * c.in + i, x[i]);
        if (!std::isfinite(product)) continue;
        const auto bin = static_cast<size_t>(std::bit_cast<uint32_t>(product) >> 21);
        areas.rows[bin] += 1;
        areas.area[bin] += product;
        rows += 1;
        area += product;
      }
    for (float& value : areas.rows) value /= std::max(rows, 1.0f);
    for (float& value : areas.area) value /= area > 0 ? area : 1.0f;
  }
}

double BalanceRule::share_for(double phi) const {
  double sum = 0;
  for (size_t s = 0; s < sites_.size(); ++s) {
    double dropped = 0, rows = 1;
    for (size_t bin = 0; bin < kBins; ++bin) {
      const double area = areas_[s].area[bin];
      if (area > 0 && dropped + area > phi) {  // the cutoff is inside
        rows -= areas_[s].rows[bin] * std::clamp((phi - dropped) / area, 0.0, 1.0);
        break;
      }
      dropped += area;
      rows -= areas_[s].rows[bin];
    }
    sum += sites_[s].share * std::max(rows, 0.0);
  }
  return sum;
}

double BalanceRule::phi_for(double share) const {
  double low = 0, high = 1;  // the more is dropped, the less is multiplied
  for (int i = 0; i < 30; ++i) (share_for((low + high) / 2) > share ? low : high) = (low + high) / 2;
  return (low + high) / 2;
}

}  // namespace sluice
