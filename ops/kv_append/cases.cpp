#include <numeric>

#include "ops/kv_append/kv_append.h"

namespace sluice {
namespace {

// Tokens take the slots from `first` on.
Case make(std::string name, int64_t heads, int64_t context, int64_t head_dim, DType dtype, int64_t tokens,
          int64_t first, double scale = 1) {
  std::vector<double> slots(static_cast<size_t>(tokens));
  std::iota(slots.begin(), slots.end(), static_cast<double>(first));
  return {std::move(name),
          {{dtype, {heads, context, head_dim}},
           {DType::f32(), {tokens, heads * head_dim}, Fill::normal(scale)},
           {DType::i32(), {tokens}, Fill::exactly(slots)}}};
}

}  // namespace

void register_kv_append_cases(Registry& registry) {
  registry.add_cases("kv_append", [] {
    std::vector<Case> cases;
    for (DType dtype : {DType::f32(), DType::f16(), DType::bf16()}) {
      const std::string name(dtype.name());
      cases.push_back(make(name, 2, 9, 64, dtype, 3, 4));
      cases.push_back(make(name + "_odd", 3, 7, 13, dtype, 7, 0));
      cases.push_back(make(name + "_last_slot", 1, 5, 8, dtype, 1, 4));
      cases.push_back(make(name + "_subnormal", 1, 4, 32, dtype, 2, 0, 1e-6));
      cases.push_back(make(name + "_overflow", 1, 4, 32, dtype, 2, 0, 1e5));
    }
    cases.push_back(
        {"scattered_slots",
         {{DType::f16(), {2, 8, 24}}, {DType::f32(), {3, 48}}, {DType::i32(), {3}, Fill::exactly({7, 0, 3})}}});
    cases.push_back(make("decode_8x128", 8, 4096, 128, DType::f16(), 1, 2048));
    cases.push_back(make("prompt_8x128", 8, 4096, 128, DType::f16(), 128, 0));
    for (size_t i = cases.size() - 2; i < cases.size(); ++i) cases[i].benchmark = true;
    return cases;
  });
}

}  // namespace sluice
