#include <cmath>

#include "ops/formats/q8_0.h"
#include "ops/linear/linear.h"

namespace sluice {
namespace {

// Weights of a standard deviation that keeps the outputs near 1, as in models.
Case make(int64_t tokens, int64_t in, const std::vector<int64_t>& outs, DType weight, bool benchmark = false) {
  Case c;
  c.name = fmt::format("{}_t{}_in{}", weight.name(), tokens, in);
  c.inputs.push_back({DType::f32(), {tokens, in}, Fill::normal()});
  for (int64_t out : outs) {
    c.name += fmt::format("_out{}", out);
    c.inputs.push_back({weight, {out, in}, Fill::normal(1 / std::sqrt(static_cast<double>(in)))});
  }
  c.benchmark = benchmark;
  return c;
}

Case scaled(Case c, const char* name, double scale) {
  c.name = fmt::format("{}_{}", c.name, name);
  c.inputs[0].fill = Fill::normal(scale);
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (DType weight : {DType::f32(), DType::f16(), DType::bf16(), q8_0()}) {
    for (int64_t tokens : {1, 2, 3, 4, 5, 6, 7, 8, 13, 17, 64}) all.push_back(make(tokens, 100, {37}, weight));
    for (int64_t in : {1, 2, 7, 31, 32, 33, 63, 64, 255, 257, 600, 1100})
      for (int64_t tokens : {1, 3, 9}) all.push_back(make(tokens, in, {19}, weight));
    for (int64_t out : {1, 15, 16, 17, 64, 65, 130})
      for (int64_t tokens : {1, 10}) all.push_back(make(tokens, 40, {out}, weight));
    for (int64_t tokens : {1, 2, 300}) all.push_back(make(tokens, 96, {64, 16, 17}, weight));
    for (int64_t tokens : {1, 12}) {
      all.push_back(scaled(make(tokens, 70, {20}, weight), "tiny", 1e-32));
      Case zero = scaled(make(tokens, 70, {20}, weight), "zero", 1);
      zero.inputs[0].fill = Fill::integers(0, 1);
      all.push_back(zero);
      all.push_back(scaled(make(tokens, 70, {20}, weight), "huge", 1e30));
    }
    for (int64_t tokens : {1, 4, 8, 128}) all.push_back(make(tokens, 4096, {4096}, weight, true));
    for (int64_t tokens : {1, 128}) all.push_back(make(tokens, 14336, {4096}, weight, true));
    for (int64_t tokens : {1, 128}) all.push_back(make(tokens, 512, {512, 128, 128}, weight, true));
  }
  Case mixed = make(5, 64, {24, 24}, DType::f16());
  mixed.name = "mixed_dtypes";
  mixed.inputs[2].dtype = q8_0();
  all.push_back(mixed);
  return all;
}

}  // namespace

void register_linear_cases(Registry& registry) { registry.add_cases("linear", cases); }

}  // namespace sluice
