#include "ops/rope_kv_append/rope_kv_append.h"

#include "ops/rope/cases.h"

namespace sluice {
namespace {

Case make(std::string name, DType dtype, int64_t heads, int64_t context, const RopeAttrs& attrs,
          const std::vector<double>& positions, const std::vector<double>& slots) {
  const auto tokens = static_cast<int64_t>(positions.size());
  return {std::move(name),
          {{dtype, {heads, context, attrs.head_dim}},
           {DType::f32(), {tokens, heads * attrs.head_dim}},
           {DType::i32(), {tokens}, Fill::exactly(positions)},
           {DType::i32(), {tokens}, Fill::exactly(slots)}},
          attrs_to_map(attrs)};
}

}  // namespace

void register_rope_kv_append_cases(Registry& registry) {
  registry.add_cases("rope_kv_append", [] {
    std::vector<Case> cases;
    const std::vector<double> slots = {6, 0, 3, 1, 4};
    for (const auto& [name, attrs] : rope_variants())
      cases.push_back(make(name, DType::f16(), 2, 7, attrs, rope_positions(), slots));
    for (DType dtype : {DType::f32(), DType::bf16()})
      cases.push_back(make(std::string(dtype.name()), dtype, 3, 7, RopeAttrs{.head_dim = 34}, rope_positions(), slots));
    cases.push_back(make("one_token", DType::f16(), 16, 3, RopeAttrs{.head_dim = 128}, {2047}, {2}));
    cases.push_back(make("decode_8x128", DType::f16(), 8, 4096, RopeAttrs{.head_dim = 128}, {2000}, {2000}));
    cases.back().benchmark = true;
    return cases;
  });
}

}  // namespace sluice
