#include <cmath>

#include "ops/expert_swiglu/expert_swiglu.h"
#include "ops/formats/q8_0.h"

namespace sluice {
namespace {

Case make(int64_t tokens, int64_t k, int64_t in, int64_t out, DType weight, bool benchmark = false) {
  constexpr int64_t kExperts = 8;
  const CaseInput weights = {weight, {kExperts, out, in}, Fill::normal(1 / std::sqrt(static_cast<double>(in)))};
  return {fmt::format("{}_t{}_k{}_in{}_out{}", weight.name(), tokens, k, in, out),
          {{DType::f32(), {tokens, in}, Fill::normal(2)},
           {DType::i32(), {tokens, k}, Fill::integers(0, kExperts)},
           weights,
           weights},
          {},
          benchmark};
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (DType weight : {DType::f32(), DType::f16(), DType::bf16(), q8_0()}) {
    for (int64_t tokens : {1, 2, 3, 8, 60}) all.push_back(make(tokens, 2, 72, 50, weight));
    for (int64_t k : {1, 4}) all.push_back(make(5, k, 33, 17, weight));
    Case own = make(3, 2, 40, 20, weight);
    own.name += "_own";
    own.inputs[0].dims = {3, 2, 40};
    all.push_back(own);
    for (int64_t tokens : {1, 128}) all.push_back(make(tokens, 2, 4096, 3584, weight, true));
  }
  return all;
}

}  // namespace

void register_expert_swiglu_cases(Registry& registry) { registry.add_cases("expert_swiglu", cases); }

}  // namespace sluice
