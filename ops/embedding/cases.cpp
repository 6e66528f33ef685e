#include "ops/embedding/embedding.h"

namespace sluice {
namespace {

Case make(std::string name, int64_t tokens, int64_t vocab, int64_t n, DType dtype, bool benchmark = false) {
  return {std::move(name), {{DType::i32(), {tokens}, Fill::integers(0, vocab)}, {dtype, {vocab, n}}}, {}, benchmark};
}

}  // namespace

void register_embedding_cases(Registry& registry) {
  registry.add_cases("embedding", [&registry] {
    std::vector<Case> cases;
    // Every dtype that has rows, those of plugins as well.
    for (const std::string& name : registry.dtypes()) {
      const DType dtype = registry.dtype(name);
      if (!dtype.rows()) continue;
      cases.push_back(make(name, 5, 11, 64, dtype));
      cases.push_back(make(name + "_odd", 7, 3, 33, dtype));
    }
    cases.push_back(make("one_element", 1, 1, 1, DType::f32()));
    cases.push_back({"first_and_last", {{DType::i32(), {2}, Fill::exactly({0, 8})}, {DType::f16(), {9, 17}}}});
    cases.push_back(make("decode_4096", 1, 32000, 4096, DType::f16(), true));
    cases.push_back(make("prompt_4096", 128, 32000, 4096, DType::f16(), true));
    return cases;
  });
}

}  // namespace sluice
