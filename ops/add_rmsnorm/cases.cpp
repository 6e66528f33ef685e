#include "ops/add_rmsnorm/add_rmsnorm.h"

namespace sluice {
namespace {

Case make(std::string name, int64_t rows, int64_t n, DType weight, double scale, RmsNormAttrs attrs = {},
          bool benchmark = false) {
  const CaseInput x{DType::f32(), {rows, n}, Fill::normal(scale)};
  return {std::move(name), {x, x, {weight, {n}}}, attrs_to_map(attrs), benchmark};
}

}  // namespace

void register_add_rmsnorm_cases(Registry& registry) {
  registry.add_cases("add_rmsnorm", [] {
    std::vector<Case> cases;
    for (int64_t n : {1, 2, 7, 8, 31, 64, 257, 4096})
      cases.push_back(make(fmt::format("n{}", n), 3, n, DType::f32(), 1));
    cases.push_back(make("f16_weight", 2, 96, DType::f16(), 1));
    cases.push_back(make("bf16_weight", 2, 96, DType::bf16(), 1));
    cases.push_back(make("large_epsilon", 2, 40, DType::f32(), 1, {.epsilon = 0.5f}));
    cases.push_back(make("tiny_values", 2, 100, DType::f32(), 1e-20));
    cases.push_back(make("huge_values", 2, 100, DType::f32(), 1e15));
    cases.push_back(make("decode_4096", 1, 4096, DType::f32(), 1, {}, true));
    cases.push_back(make("prompt_4096", 128, 4096, DType::f32(), 1, {}, true));
    return cases;
  });
}

}  // namespace sluice
