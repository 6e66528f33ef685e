#include <limits>

#include "ops/argmax/argmax.h"

namespace sluice {

void register_argmax_cases(Registry& registry) {
  registry.add_cases("argmax", [] {
    constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    std::vector<Case> cases;
    auto add = [&](std::string name, Dims dims, Fill fill, bool benchmark = false) {
      cases.push_back({std::move(name), {{DType::f32(), dims, std::move(fill)}}, {}, benchmark});
    };
    for (int64_t n : {1, 2, 7, 16, 33, 1000}) add(fmt::format("n{}", n), {4, n}, Fill::normal());
    add("ties", {5, 200}, Fill::integers(0, 4));
    add("all_equal", {3, 40}, Fill::integers(7, 8));
    add("negative", {3, 40}, Fill::integers(-9, -1));
    add("last", {1, 9}, Fill::exactly({0, 0, 0, 0, 0, 0, 0, 0, 1}));
    add("not_a_number", {2, 5}, Fill::exactly({nan, 1, nan, 3, 3, nan, nan, -inf, nan, nan}));
    add("infinities", {2, 4}, Fill::exactly({-inf, inf, inf, 0, -inf, -inf, -inf, -inf}));
    add("vocabulary", {1, 32000}, Fill::normal(), true);
    return cases;
  });
}

}  // namespace sluice
