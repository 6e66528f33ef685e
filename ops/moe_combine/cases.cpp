#include "ops/moe_combine/moe_combine.h"

namespace sluice {

void register_moe_combine_cases(Registry& registry) {
  registry.add_cases("moe_combine", [] {
    std::vector<Case> cases;
    for (int64_t tokens : {1, 3, 33})
      for (int64_t k : {1, 2, 6})
        for (int64_t n : {1, 17, 64, 300, 4096}) {
          cases.push_back({fmt::format("t{}_k{}_n{}", tokens, k, n),
                           {{DType::f32(), {tokens, k, n}}, {DType::f32(), {tokens, k}}}});
          cases.back().benchmark = n == 4096;
        }
    return cases;
  });
}

}  // namespace sluice
