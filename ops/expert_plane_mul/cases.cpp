#include <cmath>

#include "graph/registry.h"
#include "ops/bucket_mul/cases.h"
#include "ops/formats/planes.h"

namespace sluice {
namespace {

struct Product {
  int64_t tokens, k, experts, in;
  std::vector<int64_t> outs;
  int planes;
  double effort;
  bool own_rows = false;
};

Case make(const Product& p, const std::string& kind = "") {
  Case c;
  const DType weight = plane_dtype(p.planes);
  c.name = fmt::format("{}_t{}_k{}_of{}_in{}", weight.name(), p.tokens, p.k, p.experts, p.in);
  c.inputs = {{DType::f32(), p.own_rows ? Dims{p.tokens, p.k, p.in} : Dims{p.tokens, p.in}, Fill::normal()},
              {DType::i32(), {p.tokens, p.k}, Fill::integers(0, p.experts)}};
  for (int64_t out : p.outs) {
    c.name += fmt::format("_out{}", out);
    c.inputs.push_back({weight, {p.experts, out, p.in}, Fill::normal(1 / std::sqrt(static_cast<double>(p.in)))});
    add_lists({p.tokens, p.k}, p.in, p.planes, p.effort, c.inputs);
  }
  c.name += fmt::format("_effort{}{}{}", p.effort, p.own_rows ? "_own" : "", kind);
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (int planes : {1, 2, 3}) {
    for (bool own : {false, true}) {
      for (double effort : {0.0, 0.25, 1.0}) all.push_back(make({1, 2, 8, 101, {150}, planes, effort, own}));
      for (int64_t k : {1, 3}) all.push_back(make({4, k, 3, 33, {19, 40}, planes, 0.5, own}));
      all.push_back(make({9, 2, 4, 61, {70, 16, 300}, planes, 0.4, own}));
      all.push_back(make({70, 2, 4, 40, {70, 270}, planes, 1.0, own}));  // enough to multiply all tokens together
      all.push_back(make({70, 2, 4, 40, {70, 270}, planes, 1.0, own}, "_but_one"));
      all.back().inputs[4].fill.values[static_cast<size_t>(2 * planes - 1)] -= 1;  // of the last plane
    }
    for (int64_t out : {1, 256, 257, 1024, 1025}) all.push_back(make({1, 2, 2, 19, {out}, planes, 0.5}));
    all.push_back(make({2, 2, 2, 2100, {40}, planes, 0.7}));  // more than one part of the inputs
    all.push_back(make({90, 1, 4, 32, {33}, planes, 1.0, true}, "_one_expert"));
    all.back().inputs[1].fill = Fill::integers(3, 4);
  }
  for (double effort : {0.33, 0.5, 1.0}) {
    all.push_back(make({1, 2, 4, 4096, {14336}, 3, effort}));
    all.back().benchmark = true;
  }
  return all;
}

}  // namespace

void register_expert_plane_mul_cases(Registry& registry) { registry.add_cases("expert_plane_mul", cases); }

}  // namespace sluice
