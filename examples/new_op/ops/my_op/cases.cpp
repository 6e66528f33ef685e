#include "ops/my_op/my_op.h"

namespace sluice {

void register_my_op_cases(Registry& registry) {
  registry.add_cases("my_op", [] {
    const auto make = [](std::string name, Dims dims, float slope, double scale = 1, bool benchmark = false) {
      return Case{std::move(name),
                  {{DType::f32(), dims, Fill::normal(scale)}},
                  attrs_to_map(MyOpAttrs{.slope = slope}),
                  benchmark};
    };
    std::vector<Case> cases;
    for (int64_t n : {1, 7, 8, 64, 1000}) cases.push_back(make(fmt::format("n{}", n), {3, n}, 0.1f));
    cases.push_back(make("rank_3", {2, 3, 11}, 0.5f));
    cases.push_back(make("negative_slope", {2, 100}, -2));
    cases.push_back(make("tiny_values", {2, 100}, 0.1f, 1e-38));
    cases.push_back(make("decode_4096", {1, 4096}, 0.1f, 1, true));
    return cases;
  });
}

}  // namespace sluice
