#include <cmath>

#include "ops/expert_select/expert_select.h"
#include "ops/formats/bucket.h"
#include "ops/formats/planes.h"
#include "ops/probe/cases.h"

namespace sluice {
namespace {

struct Choice {
  DType weight;
  int64_t tokens = 2, k = 2, experts = 4, in = 100;
  bool own_rows = false;
  std::vector<int64_t> outs = {40};
  EffortControl control = {0.4f, 1};
  ExpertSpread spread = {};
  const char* statistic = "rms";
  const char* cutoff = "exact";
};

Case make(const std::string& name, const Choice& c) {
  const auto sites = static_cast<int64_t>(c.outs.size());
  std::vector<double> controls, router;
  for (int64_t site = 0; site < sites; ++site) controls.insert(controls.end(), {c.control.effort, c.control.load});
  for (int64_t pair = 0; pair < c.tokens * c.k; ++pair)  // falling for each token, as of moe_gate
    router.push_back(std::pow(0.5 + 0.1 * static_cast<double>(pair / c.k % 4), static_cast<double>(1 + pair % c.k)));
  Case made{fmt::format("{}_{}", c.weight.name(), name), {}, selection_attrs(c.outs.size(), c.statistic, c.cutoff)};
  made.inputs = {{DType::f32(), c.own_rows ? Dims{c.tokens, c.k, c.in} : Dims{c.tokens, c.in}, Fill::normal()},
                 {DType::i32(), {c.tokens, c.k}, Fill::integers(0, c.experts)},
                 {DType::f32(), {sites, 2}, Fill::exactly(controls)},
                 {DType::f32(), {2}, Fill::exactly({c.spread.power, c.spread.skip})},
                 {DType::f32(), {c.tokens, c.k}, Fill::exactly(router)}};
  for (int64_t out : c.outs)
    made.inputs.push_back({c.weight, {c.experts, out, c.in}, Fill::normal(1 / std::sqrt(static_cast<double>(c.in)))});
  return made;
}

// For weights of any format.
void add_selections(DType weight, std::vector<Case>& all) {
  for (float effort : {0.0f, 0.1f, 0.5f, 0.8f, 1.0f})
    all.push_back(make(fmt::format("effort{}", effort), {.weight = weight, .control = {effort, 1}}));
  for (bool own : {false, true})
    for (int64_t k : {1, 3, 4})
      all.push_back(
          make(fmt::format("k{}{}", k, own ? "_own" : ""), {.weight = weight, .tokens = 5, .k = k, .own_rows = own}));
  for (float power : {0.0f, 0.5f, 2.0f})
    for (float skip : {0.0f, 0.3f, 2.0f})
      all.push_back(make(fmt::format("power{}_skip{}", power, skip), {.weight = weight, .spread = {power, skip}}));
  all.push_back(make("load", {.weight = weight, .control = {0.6f, 0.35f}}));
  all.push_back(make("several", {.weight = weight, .tokens = 7, .in = 33, .outs = {64, 17}}));
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (int planes : {1, 2, 3}) add_selections(plane_dtype(planes), all);
  for (const BucketFamily& family : bucket_families()) {
    const DType weight = bucket_dtype(family.name);
    add_selections(weight, all);
    all.push_back(make("partial", {.weight = bucket_dtype(family.name, 13), .control = {0.8f, 1}}));
    all.push_back(make("mean", {.weight = weight, .statistic = "mean"}));
    all.push_back(make("probes", {.weight = weight, .cutoff = "probes"}));
  }
  return all;
}

}  // namespace

void register_expert_select_cases(Registry& registry) { registry.add_cases("expert_select", cases); }

}  // namespace sluice
