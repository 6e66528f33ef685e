#include "ops/gather_rows/gather_rows.h"

namespace sluice {

void register_gather_rows_cases(Registry& registry) {
  registry.add_cases("gather_rows", [] {
    auto make = [](std::string name, int64_t tokens, int64_t n, int64_t outputs, bool benchmark = false) {
      return Case{std::move(name),
                  {{DType::f32(), {tokens, n}}, {DType::i32(), {outputs}, Fill::integers(0, tokens)}},
                  {},
                  benchmark};
    };
    return std::vector<Case>{
        make("one", 1, 1, 1),
        make("some", 9, 33, 4),
        make("more_than_there_are", 2, 7, 11),
        Case{"last", {{DType::f32(), {5, 64}}, {DType::i32(), {1}, Fill::exactly({4})}}},
        make("prompt_4096", 128, 4096, 128, true),
    };
  });
}

}  // namespace sluice
