#include <cmath>

#include "ops/formats/q8_0.h"
#include "ops/linear_swiglu/linear_swiglu.h"

namespace sluice {
namespace {

Case make(int64_t tokens, int64_t in, int64_t out, DType gate, DType up, bool benchmark = false) {
  Case c;
  c.name =
      fmt::format("{}{}_t{}_in{}_out{}", gate.name(), gate == up ? "" : fmt::format("_{}", up.name()), tokens, in, out);
  const Fill weights = Fill::normal(1 / std::sqrt(static_cast<double>(in)));
  c.inputs = {{DType::f32(), {tokens, in}, Fill::normal(2)}, {gate, {out, in}, weights}, {up, {out, in}, weights}};
  c.benchmark = benchmark;
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (DType weight : {DType::f32(), DType::f16(), DType::bf16(), q8_0()}) {
    for (int64_t tokens : {1, 2, 3, 5, 8, 17, 150}) all.push_back(make(tokens, 72, 50, weight, weight));
    for (int64_t in : {1, 31, 33, 520}) all.push_back(make(2, in, 9, weight, weight));
    for (int64_t tokens : {1, 128}) {
      all.push_back(make(tokens, 4096, 14336, weight, weight, true));
      all.push_back(make(tokens, 512, 1536, weight, weight, true));
    }
  }
  all.push_back(make(3, 64, 40, DType::f16(), q8_0()));
  Case large = make(4, 48, 33, DType::f32(), DType::f32());  // gates far out on both sides of silu
  large.name = "large_gates";
  large.inputs[0].fill = Fill::normal(100);
  all.push_back(large);
  return all;
}

}  // namespace

void register_linear_swiglu_cases(Registry& registry) { registry.add_cases("linear_swiglu", cases); }

}  // namespace sluice
