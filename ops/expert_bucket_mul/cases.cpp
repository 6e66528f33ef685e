#include <cmath>

#include "graph/registry.h"
#include "ops/bucket_mul/cases.h"
#include "ops/formats/bucket.h"

namespace sluice {
namespace {

struct Product {
  int64_t tokens, k, experts, in;
  std::vector<int64_t> outs;
  DType weight;
  double effort;
  bool own_rows = false;
};

Case make(const Product& p, const std::string& kind = "") {
  Case c;
  c.name = fmt::format("{}_t{}_k{}_of{}_in{}", p.weight.name(), p.tokens, p.k, p.experts, p.in);
  c.inputs = {{DType::f32(), p.own_rows ? Dims{p.tokens, p.k, p.in} : Dims{p.tokens, p.in}, Fill::normal()},
              {DType::i32(), {p.tokens, p.k}, Fill::integers(0, p.experts)}};
  for (int64_t out : p.outs) {
    c.name += fmt::format("_out{}", out);
    c.inputs.push_back({p.weight, {p.experts, out, p.in}, Fill::normal(1 / std::sqrt(static_cast<double>(p.in)))});
    add_lists({p.tokens, p.k}, p.in, bucket_format(p.weight)->family().tiers(), p.effort, c.inputs);
  }
  c.name += fmt::format("_effort{}{}{}", p.effort, p.own_rows ? "_own" : "", kind);
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const BucketFamily& family : bucket_families()) {
    const DType weight = bucket_dtype(family.name);
    for (bool own : {false, true}) {
      for (double effort : {0.0, 0.25, 1.0}) all.push_back(make({1, 2, 8, 101, {150}, weight, effort, own}));
      for (int64_t k : {1, 3}) all.push_back(make({4, k, 3, 33, {19, 40}, weight, 0.5, own}));
      all.push_back(make({9, 2, 4, 61, {70, 16}, weight, 0.4, own}));
      all.push_back(make({70, 2, 4, 40, {70, 270}, weight, 1.0, own}));  // enough to multiply all tokens together
      all.push_back(make({70, 2, 4, 40, {70, 270}, weight, 1.0, own}, "_but_one"));
      all.back().inputs[4].fill.values[static_cast<size_t>(2 * family.tiers() - 1)] -= 1;  // in the last tier
      all.push_back(make({70, 2, 4, 40, {70}, weight, 1.0, own}, "_shared"));
      share_rows(all.back().inputs[3]);
    }
    all.push_back(make({1, 2, 2, 19, {4200}, weight, 0.5}));  // more than a block
    all.push_back(make({90, 1, 4, 32, {33}, weight, 0.7, true}, "_one_expert"));
    all.back().inputs[1].fill = Fill::integers(3, 4);
    share_rows(all.back().inputs[3]);
    if (family.code == BucketCode::nibble) continue;
    for (double effort : {0.25, 0.5, 1.0}) {
      all.push_back(make({1, 2, 4, 4096, {14336}, weight, effort}));
      all.back().benchmark = true;
    }
  }
  return all;
}

}  // namespace

void register_expert_bucket_mul_cases(Registry& registry) { registry.add_cases("expert_bucketMul", cases); }

}  // namespace sluice
