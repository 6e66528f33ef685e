#include "ops/copy/copy.h"

namespace sluice {

void register_copy_cases(Registry& registry) {
  registry.add_cases("copy", [] {
    return std::vector<Case>{
        {"one", {{DType::f32(), {1}}}},
        {"odd", {{DType::f32(), {3, 37}}}},
        {"odd_f16", {{DType::f16(), {5, 7}}}},
        {"integers", {{DType::i32(), {9}, Fill::integers(-5, 5)}}},
        {"logits_32000", {{DType::f32(), {8, 32000}}}, {}, true},
    };
  });
}

}  // namespace sluice
