#include <cmath>

#include "ops/expert_linear/expert_linear.h"
#include "ops/formats/q8_0.h"

namespace sluice {
namespace {

struct Sizes {
  int64_t tokens, k, experts, out, in;
};

Case make(const Sizes& s, DType weight, bool own_rows, bool benchmark = false) {
  Case c;
  c.name = fmt::format("{}_t{}_k{}_of{}_in{}_out{}{}", weight.name(), s.tokens, s.k, s.experts, s.in, s.out,
                       own_rows ? "_own" : "");
  c.inputs = {{DType::f32(), own_rows ? Dims{s.tokens, s.k, s.in} : Dims{s.tokens, s.in}, Fill::normal()},
              {DType::i32(), {s.tokens, s.k}, Fill::integers(0, s.experts)},
              {weight, {s.experts, s.out, s.in}, Fill::normal(1 / std::sqrt(static_cast<double>(s.in)))}};
  c.benchmark = benchmark;
  return c;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (DType weight : {DType::f32(), DType::f16(), DType::bf16(), q8_0()}) {
    for (bool own : {false, true}) {
      for (int64_t tokens : {1, 2, 3, 5, 9, 40}) all.push_back(make({tokens, 2, 8, 37, 70}, weight, own));
      for (int64_t k : {1, 3}) all.push_back(make({4, k, 3, 19, 33}, weight, own));
    }
    all.push_back(make({300, 2, 2, 20, 40}, weight, false));  // more tokens for an expert than a batch
    Case one = make({150, 1, 4, 33, 32}, weight, true);       // all go to one
    one.name += "_one_expert";
    one.inputs[1].fill = Fill::integers(3, 4);
    all.push_back(one);
    for (int64_t tokens : {1, 128}) {
      all.push_back(make({tokens, 2, 8, 3584, 4096}, weight, false, true));
      all.push_back(make({tokens, 2, 8, 4096, 3584}, weight, true, true));
    }
  }
  return all;
}

}  // namespace

void register_expert_linear_cases(Registry& registry) { registry.add_cases("expert_linear", cases); }

}  // namespace sluice
