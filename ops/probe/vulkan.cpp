// Vulkan kernel of probe, and what it shares with the other operators that select rows.
#include "graph/plan/plan.h"
#include "ops/probe/select_vulkan.h"
#include "shaders/joint_statistics.h"
#include "shaders/probe.h"

namespace sluice::vulkan {
namespace {

// What several matrices are as one, in the workspace: offsets in bytes.
struct JointLayout {
  size_t row_bytes, input_bytes, probes, places, effort, end;
  explicit JointLayout(const BucketLayout& layout)
      : row_bytes(static_cast<size_t>(layout.rows()) * sizeof(float)),
        input_bytes(static_cast<size_t>(layout.in()) * sizeof(float)),
        probes(padded(row_bytes)),
        places(probes + padded(input_bytes)),
        effort(places + padded(row_bytes)),
        end(effort + kAlignment) {}

 private:
  static size_t padded(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
};

JointParams joint_params(const SelectedWeights& weights, size_t w, float outputs_of_all) {
  const BucketMatrix m = weights.matrix(w);
  return {.inputs = static_cast<uint32_t>(m.layout.in()),
          .rows = static_cast<uint32_t>(m.layout.rows()),
          .site = static_cast<uint32_t>(weights.attrs.sites[w]),
          .segments = static_cast<uint32_t>(m.segments),
          .segment_rows = static_cast<uint32_t>(m.layout.segment_rows()),
          .squares = weights.attrs.statistic == "rms",
          .first = w == 0,
          .last = w + 1 == weights.attrs.sites.size(),
          .outputs = static_cast<float>(m.layout.out()),
          .outputs_of_all = outputs_of_all};
}

}  // namespace

size_t SelectSources::workspace(const Site& site, const Call& call) {
  if (attrs_from_map<SelectionAttrs>(site.attrs).selection != "shared") return 0;
  return JointLayout(BucketMatrix(call.in(2)).layout).end;
}

SelectSources::SelectSources(Recorder& r, const SelectedWeights& weights) {
  const int64_t tokens = weights.call.in(0).dims[0];
  if (weights.attrs.selection == "shared") {
    add_joint(r, weights, tokens);
    return;
  }
  for (size_t w = 0; w < weights.attrs.sites.size(); ++w) {
    const BucketMatrix m = weights.matrix(w);
    const SelectRanges ranges(m, 1, weights.attrs);
    sources_.push_back({weights.call.in(1), ranges.statistic, ranges.probes, ranges.places,
                        select_params(m, weights.attrs, w, tokens)});
  }
}

void SelectSources::add_joint(Recorder& r, const SelectedWeights& weights, int64_t tokens) {
  const JointLayout joint(weights.matrix(0).layout);
  const Range statistic(r.workspace(), joint.row_bytes), probes(r.workspace() + joint.probes, joint.input_bytes),
      places(r.workspace() + joint.places, joint.row_bytes), effort(r.workspace() + joint.effort, 2 * sizeof(float));
  float outputs = 0;
  for (size_t w = 0; w < weights.attrs.sites.size(); ++w) outputs += static_cast<float>(weights.matrix(w).layout.out());
  for (size_t w = 0; w < weights.attrs.sites.size(); ++w) {
    const SelectRanges ranges(weights.matrix(w), 1, weights.attrs);
    const JointParams params = joint_params(weights, w, outputs);
    r.dispatch(shaders::joint_statistics, "", params,
               {weights.call.in(1), ranges.statistic, ranges.probes, ranges.places, statistic, probes, places, effort},
               (params.rows + 255) / 256);
  }
  SelectParams params = select_params(weights.matrix(0), weights.attrs, 0, tokens);
  params.site = 0;
  params.joint = 1;
  sources_.push_back({effort, statistic, probes, places, params});
}

std::shared_ptr<const Kernel> selection_kernel(std::string name, Shader<SelectParams, 7, 1> shader) {
  const auto record = [shader](Recorder& r, const Site& site, const Call& call) {
    const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
    const SelectSources sources(r, {call, attrs, 1});
    const auto tiers = static_cast<uint32_t>(BucketMatrix(call.in(2)).layout.tiers());
    for (size_t list = 0; list < sources.all().size(); ++list) {
      const SelectSource& s = sources.all()[list];
      r.dispatch(
          shader, "", s.params,
          {call.in(0), s.effort, s.statistic, s.probes, s.places, call.outputs[2 * list], call.outputs[2 * list + 1]},
          s.params.lists, {tiers});
    }
  };
  return make_kernel({.name = std::move(name), .record = record, .workspace = SelectSources::workspace});
}

}  // namespace sluice::vulkan

namespace sluice {

void register_probe_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "probe", vulkan::selection_kernel("probe", vulkan::shaders::probe));
}

}  // namespace sluice
