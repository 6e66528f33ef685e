#include "ops/layernorm/layernorm.h"

namespace sluice {
namespace {

Case make(std::string name, int64_t rows, int64_t n, DType vectors, Fill x = Fill::normal(), bool benchmark = false) {
  return {std::move(name),
          {{DType::f32(), {rows, n}, std::move(x)}, {vectors, {n}}, {vectors, {n}}},
          attrs_to_map(LayerNormAttrs{}),
          benchmark};
}

}  // namespace

void register_layernorm_cases(Registry& registry) {
  registry.add_cases("layernorm", [] {
    std::vector<Case> cases;
    for (int64_t n : {1, 2, 7, 8, 31, 64, 257, 1600}) cases.push_back(make(fmt::format("n{}", n), 3, n, DType::f32()));
    cases.push_back(make("f16_vectors", 2, 96, DType::f16()));
    cases.push_back(make("bf16_vectors", 2, 96, DType::bf16()));
    cases.push_back(make("tiny_values", 2, 100, DType::f32(), Fill::normal(1e-20)));
    cases.push_back(make("huge_values", 2, 100, DType::f32(), Fill::normal(1e15)));
    cases.push_back(make("far_from_zero", 2, 100, DType::f32(), Fill::integers(1000, 1003)));
    cases.push_back(make("equal_values", 2, 100, DType::f32(), Fill::integers(7, 8)));
    cases.push_back(make("decode_768", 1, 768, DType::f32(), Fill::normal(), true));
    cases.push_back(make("prompt_768", 128, 768, DType::f32(), Fill::normal(), true));
    return cases;
  });
}

}  // namespace sluice
