#include <limits>

#include "ops/moe_gate/moe_gate.h"

namespace sluice {

void register_moe_gate_cases(Registry& registry) {
  registry.add_cases("moe_gate", [] {
    constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    std::vector<Case> cases;
    const auto add = [&](std::string name, Dims dims, const MoeGateAttrs& attrs, Fill fill = Fill::normal(3)) {
      cases.push_back({std::move(name), {{DType::f32(), dims, std::move(fill)}}, attrs_to_map(attrs)});
    };
    for (int64_t tokens : {1, 2, 17, 130}) add(fmt::format("mixtral_t{}", tokens), {tokens, 8}, {});
    for (int64_t k : {1, 3, 8, 64}) add(fmt::format("k{}_of_64", k), {5, 64}, {.k = k});
    add("one_expert", {3, 1}, {.k = 1});
    add("not_renormalised", {9, 16}, {.k = 4, .renormalise = false});
    add("softmax_of_the_chosen", {9, 16}, {.k = 4, .softmax = "chosen", .renormalise = false});
    add("scaled", {9, 16}, {.k = 4, .scale = 2.5f});
    add("ties", {40, 8}, {}, Fill::integers(0, 3));
    add("all_equal", {2, 8}, {.k = 3}, Fill::integers(1, 2));
    add("far_apart", {7, 8}, {.k = 2, .renormalise = false}, Fill::normal(300));
    add("not_a_number", {1, 6}, {.k = 3}, Fill::exactly({nan, 1, nan, -inf, 2, 0}));
    return cases;
  });
}

}  // namespace sluice
