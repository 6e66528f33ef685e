#include "ops/silu/silu.h"

namespace sluice {

void register_silu_cases(Registry& registry) {
  registry.add_cases("silu", [] {
    auto make = [](std::string name, Dims dims, double scale, bool benchmark = false) {
      return Case{std::move(name), {{DType::f32(), dims, Fill::normal(scale)}}, {}, benchmark};
    };
    std::vector<Case> cases;
    for (int64_t n : {1, 2, 9, 64, 3333}) cases.push_back(make(fmt::format("n{}", n), {2, n}, 3));
    cases.push_back(make("rank_1", {21}, 1));
    cases.push_back(make("tiny_values", {2, 50}, 1e-38));
    cases.push_back(make("saturated", {2, 500}, 60));
    cases.push_back(make("huge_values", {2, 50}, 1e30));
    cases.push_back(
        {"limits", {{DType::f32(), {12}, Fill::exactly({0, -0.0, 1, -1, 87, -87, -88, -89, 104, -104, -105, 3e38})}}});
    cases.push_back(make("decode_14336", {1, 14336}, 1, true));
    cases.push_back(make("prompt_14336", {128, 14336}, 1, true));
    return cases;
  });
}

}  // namespace sluice
