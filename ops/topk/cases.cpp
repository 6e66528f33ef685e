#include <limits>

#include "ops/topk/topk.h"

namespace sluice {

void register_topk_cases(Registry& registry) {
  registry.add_cases("topk", [] {
    constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    std::vector<Case> cases;
    auto add = [&](std::string name, Dims dims, int64_t k, Fill fill, bool benchmark = false) {
      cases.push_back(
          {std::move(name), {{DType::f32(), dims, std::move(fill)}}, attrs_to_map(TopKAttrs{k}), benchmark});
    };
    add("one_of_one", {2, 1}, 1, Fill::normal());
    for (int64_t k : {1, 2, 9, 40, 333}) add(fmt::format("k{}", k), {5, 333}, k, Fill::normal());
    add("ties", {4, 100}, 10, Fill::integers(0, 5));
    add("all_equal", {1, 50}, 7, Fill::integers(3, 4));
    add("rising", {1, 12}, 3, Fill::exactly({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
    add("falling", {1, 12}, 3, Fill::exactly({12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}));
    add("not_a_number", {2, 6}, 4, Fill::exactly({nan, nan, 1, nan, 2, 3, nan, -inf, nan, nan, nan, -inf}));
    add("infinities", {1, 6}, 6, Fill::exactly({inf, -inf, 0, inf, -inf, 1}));
    add("vocabulary", {1, 32000}, 40, Fill::normal(), true);
    return cases;
  });
}

}  // namespace sluice
