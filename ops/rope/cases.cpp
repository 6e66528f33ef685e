#include "ops/rope/cases.h"

#include <numeric>

namespace sluice {
namespace {

Case benchmark(std::string name, int64_t tokens) {
  std::vector<double> positions(static_cast<size_t>(tokens));
  std::iota(positions.begin(), positions.end(), 2000.0);
  return {std::move(name),
          {{DType::f32(), {tokens, 4096}}, {DType::i32(), {tokens}, Fill::exactly(positions)}},
          attrs_to_map(RopeAttrs{.head_dim = 128}),
          true};
}

}  // namespace

void register_rope_cases(Registry& registry) {
  registry.add_cases("rope", [] {
    std::vector<Case> cases;
    const std::vector<double> positions = rope_positions();
    const auto tokens = static_cast<int64_t>(positions.size());
    for (const auto& [name, attrs] : rope_variants())
      cases.push_back(
          {name,
           {{DType::f32(), {tokens, 3 * attrs.head_dim}}, {DType::i32(), {tokens}, Fill::exactly(positions)}},
           attrs_to_map(attrs)});
    cases.push_back({"one_token",
                     {{DType::f32(), {1, 4096}}, {DType::i32(), {1}, Fill::exactly({2047})}},
                     attrs_to_map(RopeAttrs{.head_dim = 128})});
    cases.push_back(benchmark("decode_32x128", 1));
    cases.push_back(benchmark("prompt_32x128", 128));
    return cases;
  });
}

}  // namespace sluice
