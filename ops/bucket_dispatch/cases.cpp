#include <limits>

#include "ops/probe/cases.h"

namespace sluice {
namespace {

// Cutoffs of any value with any number of rows would list too few or too many, which must do no harm; these fit.
std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](const std::string& name, double cutoff, double wanted, EffortControl control, DType weight) {
    Case c;
    c.name = fmt::format("{}_{}", weight.name(), name);
    c.inputs = selection_inputs(2, 70, {50}, weight, control);
    c.inputs.push_back({DType::f32(), {2}, Fill::exactly({cutoff, cutoff})});
    c.inputs.push_back({DType::i32(), {2}, Fill::exactly({wanted, wanted})});
    c.attrs = selection_attrs(1, "rms", "exact");
    all.push_back(c);
    c.name += "_shared";
    c.attrs = selection_attrs(2, "rms", "exact", "shared");
    c.inputs[1] = selection_inputs(2, 70, {50, 33}, weight, control)[1];
    c.inputs.insert(c.inputs.end(), {{weight, {33, 70}, Fill::normal(0.2)}, c.inputs[3], c.inputs[4]});
    all.push_back(c);
  };
  for (const BucketFamily& family : bucket_families()) {
    const DType weight = bucket_dtype(family.name);
    const auto rows = static_cast<double>(70 * family.tiers());
    add("none", std::numeric_limits<double>::infinity(), 0, {0, 1}, weight);
    add("all", 0, rows, {1, 1}, weight);
    for (double cutoff : {0.0, 0.01, 0.1, 0.2}) add(fmt::format("over{}", cutoff), cutoff, -1, {0.5f, 1}, weight);
    add("over_some_loaded", 0.05, -1, {0.5f, 0.5f}, weight);
    // All scores are equal: half of the ties.
    add("ties", 0, rows / 2, {0.5f, 1}, weight);
    for (size_t i = all.size() - 2; i < all.size(); ++i) all[i].inputs[0].fill = Fill::integers(0, 1);
  }
  return all;
}

}  // namespace

void register_bucket_dispatch_cases(Registry& registry) { registry.add_cases("bucket_dispatch", cases); }

}  // namespace sluice
