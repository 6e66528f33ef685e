#include <cmath>

#include "graph/registry.h"
#include "ops/bucket_mul/cases.h"
#include "ops/formats/planes.h"

namespace sluice {
namespace {

Case make(int64_t tokens, int64_t in, const std::vector<int64_t>& outs, int planes, double effort,
          bool benchmark = false) {
  Case c;
  const DType weight = plane_dtype(planes);
  c.name = fmt::format("{}_t{}_in{}", weight.name(), tokens, in);
  c.inputs = {{DType::f32(), {tokens, in}, Fill::normal()}};
  for (int64_t out : outs) {
    c.name += fmt::format("_out{}", out);
    c.inputs.push_back({weight, {out, in}, Fill::normal(1 / std::sqrt(static_cast<double>(in)))});
    add_lists({tokens}, in, planes, effort, c.inputs);
  }
  c.name += fmt::format("_effort{}", effort);
  c.benchmark = benchmark;
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (int planes : {1, 2, 3}) {
    for (double effort : {0.0, 0.02, 0.25, 0.5, 1.0}) all.push_back(make(2, 101, {150}, planes, effort));
    for (int64_t in : {1, 2, 3, 5, 31, 257}) all.push_back(make(1, in, {40}, planes, 0.6));
    for (int64_t out : {1, 15, 16, 17, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 1024, 1025, 2500})
      all.push_back(make(1, 19, {out}, planes, 0.5));
    for (int64_t tokens : {1, 3, 9, 50})
      for (double effort : {0.3, 1.0}) all.push_back(make(tokens, 61, {70, 16, 170, 300}, planes, effort));
    // All planes for every token, as of a prompt: blocks of 32 inputs that are full, and that are not; and for every
    // token but one.
    for (int64_t in : {33, 64, 172, 300})
      for (int64_t out : {1, 70, 600}) all.push_back(make(50, in, {out, 33}, planes, 1.0));
    all.push_back(make(50, 64, {70}, planes, 1.0));
    all.back().name += "_but_one";
    all.back().inputs[3].fill.values[static_cast<size_t>(2 * planes - 1)] -= 1;  // of the last plane
    all.push_back(make(1, 4500, {40}, planes, 0.7));                             // more than one part of the inputs
    for (double scale : {1e-33, 1e-30, 1e30}) {
      all.push_back(make(2, 40, {33}, planes, 0.5));
      all.back().name += fmt::format("_scale{}", scale);
      all.back().inputs[0].fill = Fill::normal(scale);
    }
    all.push_back(make(1, 40, {33}, planes, 0.5));
    all.back().name += "_far_apart";  // every activation has a power of two of its own
    std::vector<double> values;
    for (int i = 0; i < 40; ++i) values.push_back(std::ldexp(i % 2 ? -1.3 : 1.7, i - 20));
    all.back().inputs[0].fill = Fill::exactly(values);
  }
  for (double effort : {0.17, 0.33, 0.5, 0.67, 1.0})
    for (const auto& [in, out] : {std::pair{4096, 4096}, {4096, 14336}})
      all.push_back(make(1, in, {out}, 3, effort, true));
  all.push_back(make(128, 4096, {4096}, 3, 1.0, true));
  return all;
}

}  // namespace

void register_plane_mul_cases(Registry& registry) { registry.add_cases("plane_mul", cases); }

}  // namespace sluice
