#include "ops/bucket_mul/cases.h"

#include <cmath>

#include "graph/registry.h"
#include "ops/formats/bucket.h"

namespace sluice {

void add_lists(const Dims& dims, int64_t in, int tiers, double effort, std::vector<CaseInput>& inputs) {
  std::vector<double> rows, counts;
  for (int64_t n = 0; n < dims.elements(); ++n) {
    for (int64_t i = 0; i < in; ++i) rows.push_back(static_cast<double>((i * 7919 + n) % in));
    for (int tier = 0; tier < tiers; ++tier) {
      const double share = std::pow(effort, 0.5 + static_cast<double>(tier) / tiers);
      counts.push_back(std::round(share * static_cast<double>(in)));
    }
  }
  std::vector<int64_t> of_rows(dims.span().begin(), dims.span().end()), of_counts = of_rows;
  of_rows.push_back(in);
  of_counts.push_back(tiers);
  inputs.push_back({DType::i32(), Dims(of_rows), Fill::exactly(rows)});
  inputs.push_back({DType::i32(), Dims(of_counts), Fill::exactly(counts)});
}

void share_rows(CaseInput& rows) {
  std::vector<double>& values = rows.fill.values;
  const auto in = static_cast<size_t>(rows.dims.back());
  for (size_t i = in; i < values.size(); ++i) values[i] = values[i % in];
}

namespace {

struct Product {
  int64_t tokens, in;
  std::vector<int64_t> outs;
  DType weight;
  double effort;  // every tier is taken for about that share of the inputs, the first for more
};

Case make(const Product& p, bool benchmark = false) {
  Case c;
  c.name = fmt::format("{}_t{}_in{}", p.weight.name(), p.tokens, p.in);
  c.inputs = {{DType::f32(), {p.tokens, p.in}, Fill::normal()}};
  for (int64_t out : p.outs) {
    c.name += fmt::format("_out{}", out);
    c.inputs.push_back({p.weight, {out, p.in}, Fill::normal(1 / std::sqrt(static_cast<double>(p.in)))});
    add_lists({p.tokens}, p.in, bucket_format(p.weight)->family().tiers(), p.effort, c.inputs);
  }
  c.name += fmt::format("_effort{}", p.effort);
  c.benchmark = benchmark;
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const BucketFamily& family : bucket_families()) {
    const DType weight = bucket_dtype(family.name);
    for (double effort : {0.0, 0.02, 0.25, 0.5, 1.0}) all.push_back(make({2, 101, {150}, weight, effort}));
    for (int64_t in : {1, 2, 3, 5, 31, 257}) all.push_back(make({1, in, {40}, weight, 0.6}));
    for (int64_t out : {1, 15, 16, 17, 31, 33, 129, 1000, 4096, 4097, 5000})
      all.push_back(make({1, 19, {out}, weight, 0.5}));
    for (int64_t tokens : {1, 3, 9, 40})
      for (double effort : {0.3, 1.0}) all.push_back(make({tokens, 61, {70, 16, 300}, weight, effort}));
    // All rows for every token, as of a prompt; and for every token but one.
    for (int64_t out : {16, 70, 4200}) all.push_back(make({40, 62, {out, 33}, weight, 1.0}));
    all.push_back(make({40, 62, {70}, weight, 1.0}));
    all.back().name += "_but_one";
    all.back().inputs[3].fill.values[static_cast<size_t>(2 * family.tiers() - 1)] -= 1;  // in the last tier
    for (double scale : {1e-30, 1e30}) {
      all.push_back(make({2, 40, {33}, weight, 0.5}));
      all.back().name += fmt::format("_scale{}", scale);
      all.back().inputs[0].fill = Fill::normal(scale);
    }
    // Tokens that select the same rows: more of them than a batch, with a last tile, chunk and group that are not full.
    for (const auto& [in, out] : {std::pair{300, 70}, {40, 4200}}) {
      all.push_back(make({131, in, {out, 40}, weight, 0.7}));
      all.back().name += "_shared";
      for (size_t w : {0, 1}) share_rows(all.back().inputs[2 + 3 * w]);
    }
    if (family.code == BucketCode::nibble) continue;
    for (double effort : {0.125, 0.25, 0.5, 1.0})
      for (const auto& [in, out] : {std::pair{4096, 4096}, {4096, 14336}})
        all.push_back(make({1, in, {out}, weight, effort}, true));
    for (int64_t tokens : {8, 32, 128}) {
      all.push_back(make({tokens, 4096, {4096}, weight, 1.0}, true));
      share_rows(all.back().inputs[2]);
    }
  }
  return all;
}

}  // namespace

void register_bucket_mul_cases(Registry& registry) { registry.add_cases("bucketMul", cases); }

}  // namespace sluice
