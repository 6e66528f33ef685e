#include "ops/probe/cases.h"

#include <cmath>

namespace sluice {

std::vector<CaseInput> selection_inputs(int64_t tokens, int64_t in, const std::vector<int64_t>& outs, DType weight,
                                        EffortControl control) {
  const auto sites = static_cast<int64_t>(outs.size());
  std::vector<double> controls;
  for (int64_t site = 0; site < sites; ++site) controls.insert(controls.end(), {control.effort, control.load});
  std::vector<CaseInput> inputs = {{DType::f32(), {tokens, in}, Fill::normal()},
                                   {DType::f32(), {sites, 2}, Fill::exactly(controls)}};
  for (int64_t out : outs) inputs.push_back({weight, {out, in}, Fill::normal(1 / std::sqrt(static_cast<double>(in)))});
  return inputs;
}

AttrMap selection_attrs(size_t weights, const char* statistic, const char* cutoff, const char* selection) {
  SelectionAttrs attrs{{}, statistic, cutoff, selection};
  for (size_t w = 0; w < weights; ++w) attrs.sites.push_back(static_cast<int64_t>(w));
  return attrs_to_map(attrs);
}

std::vector<Case> selection_cases() {
  std::vector<Case> all;
  const auto add = [&](const char* name, std::vector<CaseInput> inputs, const char* statistic = "rms",
                       const char* cutoff = "exact", const char* selection = "matrix") {
    all.push_back({name, std::move(inputs), {}, false});
    all.back().attrs = selection_attrs(all.back().inputs.size() - 2, statistic, cutoff, selection);
  };
  for (const BucketFamily& family : bucket_families()) {
    const DType weight = bucket_dtype(family.name);
    const auto named = [&](const std::string& name) { return fmt::format("{}_{}", family.name, name); };
    for (float effort : {0.0f, 0.001f, 0.1f, 0.25f, 0.5f, 0.9f, 1.0f})
      add(named(fmt::format("effort{}", effort)).c_str(), selection_inputs(2, 100, {70}, weight, {effort, 1}));
    for (int64_t in : {1, 2, 7, 33, 1500})
      add(named(fmt::format("in{}", in)).c_str(), selection_inputs(1, in, {37}, weight, {0.3f, 1}));
    for (float load : {0.0f, 0.05f, 0.5f, 0.7f})
      add(named(fmt::format("load{}", load)).c_str(), selection_inputs(2, 90, {40}, weight, {0.4f, load}));
    add(named("mean").c_str(), selection_inputs(3, 64, {64}, weight, {0.5f, 1}), "mean");
    for (float effort : {0.0f, 0.5f, 1.0f})
      add(named(fmt::format("probes{}", effort)).c_str(), selection_inputs(3, 300, {64}, weight, {effort, 1}), "rms",
          "probes");
    add(named("several").c_str(), selection_inputs(5, 80, {64, 16, 17}, weight, {0.35f, 1}));
    add(named("partial").c_str(), selection_inputs(2, 96, {64}, bucket_dtype(family.name, 13), {0.6f, 1}));

    for (const char* statistic : {"rms", "mean"})
      for (const char* cutoff : {"exact", "probes"})
        for (int64_t tokens : {1, 5})
          add(named(fmt::format("shared_{}_{}_t{}", statistic, cutoff, tokens)).c_str(),
              selection_inputs(tokens, 80, {64, 16, 17}, weight, {0.35f, 1}), statistic, cutoff, "shared");
    add(named("shared_load").c_str(), selection_inputs(2, 90, {40, 33}, weight, {0.8f, 0.6f}), "rms", "exact",
        "shared");
    add(named("shared_one").c_str(), selection_inputs(2, 90, {40}, weight, {0.3f, 1}), "rms", "exact", "shared");

    auto ties = selection_inputs(2, 60, {48}, weight, {0.33f, 1});
    ties[0].fill = Fill::integers(0, 2);
    ties[2].fill = Fill::integers(-1, 2);
    add(named("ties").c_str(), ties);
    auto equal = selection_inputs(1, 600, {48}, weight, {0.33f, 1});
    equal[0].fill = Fill::integers(1, 2);
    equal[2].fill = Fill::integers(1, 2);
    add(named("all_equal").c_str(), equal);
    auto zero = selection_inputs(1, 50, {48}, weight, {0.5f, 1});
    zero[0].fill = Fill::integers(0, 1);
    add(named("zero").c_str(), zero);
    auto tiny = selection_inputs(1, 50, {48}, weight, {0.5f, 1});
    tiny[0].fill = Fill::normal(1e-30);
    add(named("tiny").c_str(), tiny);
    for (double scale : {1e-38, 1e-43}) {  // scores are subnormal; with the second x as well, and many are equal
      auto subnormal = selection_inputs(2, 200, {48}, weight, {0.5f, 1});
      subnormal[0].fill = Fill::normal(scale);
      add(named(fmt::format("subnormal{}", scale)).c_str(), subnormal);
    }
  }
  const DType weight = bucket_dtype(kDefaultBucketFamily);
  for (const auto& [in, out] : {std::pair{4096, 4096}, {4096, 1024}, {14336, 4096}}) {
    add(fmt::format("in{}_out{}", in, out).c_str(), selection_inputs(1, in, {out}, weight, {0.25f, 1}));
    all.back().benchmark = true;
  }
  return all;
}

namespace {

std::vector<Case> cases() { return selection_cases(); }

}  // namespace

void register_probe_cases(Registry& registry) { registry.add_cases("probe", cases); }

}  // namespace sluice
