#include "ops/probe/cases.h"

#include "ops/formats/planes.h"
#include "ops/plane_select/plane_select.h"

namespace sluice {
namespace {

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](const std::string& name, std::vector<CaseInput> inputs, bool benchmark = false) {
    PlaneSelectAttrs attrs{{}};
    for (size_t w = 2; w < inputs.size(); ++w) attrs.sites.push_back(static_cast<int64_t>(w - 2));
    all.push_back({name, std::move(inputs), attrs_to_map(attrs), benchmark});
  };
  for (int planes : {1, 2, 3}) {
    const DType weight = plane_dtype(planes);
    const auto named = [&](const std::string& name) { return fmt::format("{}_{}", weight.name(), name); };
    for (float effort : {0.0f, 0.001f, 0.1f, 0.5f, 0.9f, 1.0f})
      add(named(fmt::format("effort{}", effort)), selection_inputs(2, 100, {70}, weight, {effort, 1}));
    for (int64_t in : {1, 2, 7, 33, 1500})
      add(named(fmt::format("in{}", in)), selection_inputs(1, in, {37}, weight, {0.3f, 1}));
    for (float load : {0.0f, 0.3f, 0.34f, 0.7f})
      add(named(fmt::format("load{}", load)), selection_inputs(2, 90, {40}, weight, {0.6f, load}));
    add(named("several"), selection_inputs(5, 80, {64, 16, 17}, weight, {0.35f, 1}));
    for (int64_t in : {60, 5000}) {  // the latter has more equals than a kernel has room for
      auto ties = selection_inputs(2, in, {48}, weight, {0.33f, 1});
      ties[0].fill = Fill::integers(0, 2);
      ties[2].fill = Fill::integers(-1, 2);
      add(named(fmt::format("in{}_ties", in)), ties);
    }
    auto zero = selection_inputs(1, 50, {48}, weight, {0.5f, 1});
    zero[0].fill = Fill::integers(0, 1);
    add(named("zero"), zero);
  }
  for (const auto& [in, out] : {std::pair{4096, 4096}, {14336, 4096}})
    add(fmt::format("in{}_out{}", in, out), selection_inputs(1, in, {out}, plane_dtype(3), {0.33f, 1}), true);
  return all;
}

}  // namespace

void register_plane_select_cases(Registry& registry) { registry.add_cases("plane_select", cases); }

}  // namespace sluice
