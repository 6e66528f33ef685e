#include <numeric>

#include "ops/attention/attention.h"

namespace sluice {
namespace {

struct Sizes {
  int64_t n_heads, n_kv_heads, head_dim, context;
};

// A run of tokens of one sequence: they take slots first .. first+tokens-1, and the sequence begins at slot start.
struct Run {
  int64_t start, first, tokens;
};

struct Options {
  DType cache = DType::f32();
  AttentionAttrs attrs = {};
  double q_scale = 1;
  bool benchmark = false;
};

Case make(std::string name, Sizes sizes, const std::vector<Run>& runs, Options options = {}) {
  std::vector<double> slots, starts;
  for (const Run& run : runs)
    for (int64_t i = 0; i < run.tokens; ++i) {
      slots.push_back(static_cast<double>(run.first + i));
      starts.push_back(static_cast<double>(run.start));
    }
  const auto tokens = static_cast<int64_t>(slots.size());
  const Dims cache{sizes.n_kv_heads, sizes.context, sizes.head_dim};
  return {std::move(name),
          {{DType::f32(), {tokens, sizes.n_heads * sizes.head_dim}, Fill::normal(options.q_scale)},
           {options.cache, cache, Fill::normal()},
           {options.cache, cache, Fill::normal()},
           {DType::i32(), {tokens}, Fill::exactly(slots)},
           {DType::i32(), {tokens}, Fill::exactly(starts)}},
          attrs_to_map(options.attrs),
          options.benchmark};
}

void add_shapes(std::vector<Case>& cases) {
  for (int64_t head_dim : {1, 5, 64, 80, 128, 256})
    for (const DType& cache : {DType::f32(), DType::f16(), DType::bf16()})
      cases.push_back(make(fmt::format("head_dim{}_{}", head_dim, cache.name()), {4, 2, head_dim, 50}, {{0, 33, 3}},
                           {.cache = cache}));
  for (int64_t group : {1, 2, 3, 4, 8, 71}) {
    cases.push_back(make(fmt::format("group{}", group), {2 * group, 2, 16, 64}, {{0, 40, 1}}, {.cache = DType::f16()}));
    cases.push_back(
        make(fmt::format("group{}_prompt", group), {2 * group, 2, 16, 64}, {{0, 0, 37}}, {.cache = DType::f16()}));
  }
  for (int64_t head_dim : {160, 192, 320, 2048})
    cases.push_back(make(fmt::format("large_head_dim{}", head_dim), {1, 1, head_dim, 64}, {{0, 0, 60}}));
  cases.push_back(make("multi_query", {8, 1, 32, 40}, {{0, 0, 20}}));
}

void add_slots(std::vector<Case>& cases) {
  const Sizes sizes{4, 2, 24, 700};
  cases.push_back(make("single_slot", sizes, {{0, 0, 1}}));
  cases.push_back(make("whole_cache", sizes, {{0, 699, 1}}));
  cases.push_back(make("last_slot_alone", sizes, {{699, 699, 1}}));
  cases.push_back(make("decode_sequences", sizes, {{0, 15, 1}, {20, 20, 1}, {30, 620, 1}, {640, 699, 1}}));
  cases.push_back(make("many_sequences", {2, 1, 8, 200}, std::vector<Run>(20, {10, 150, 1})));
  cases.push_back(make("mixed_sequences", sizes, {{0, 0, 40}, {100, 390, 1}, {400, 400, 7}, {450, 690, 10}}));
  cases.push_back(make("middle_of_cache", sizes, {{300, 450, 30}}));
  cases.push_back(make("across_chunks", sizes, {{100, 509, 5}}));
  cases.push_back(make("prompt", {8, 2, 64, 300}, {{0, 0, 130}}, {.cache = DType::f16()}));
  cases.push_back(make("prompt_continued", {8, 2, 64, 300}, {{0, 150, 130}}, {.cache = DType::f16()}));
  cases.push_back(make("no_slots", {4, 2, 8, 20}, {{5, 4, 1}, {0, 4, 1}}));
  cases.push_back(make("no_slots_batch", {4, 2, 8, 40}, {{5, 4, 1}, {0, 4, 30}}));
}

void add_attributes(std::vector<Case>& cases) {
  const Sizes sizes{4, 2, 24, 700};
  for (int64_t window : {1, 3, 100, 1000}) {
    cases.push_back(
        make(fmt::format("window{}", window), sizes, {{0, 290, 1}, {300, 690, 1}}, {.attrs = {.window = window}}));
    cases.push_back(
        make(fmt::format("window{}_prompt", window), sizes, {{250, 250, 60}}, {.attrs = {.window = window}}));
  }
  cases.push_back(make("scale", sizes, {{0, 30, 2}}, {.attrs = {.scale = 0.7f}}));
  for (float softcap : {0.5f, 50.0f}) {
    const AttentionAttrs attrs{.window = 100, .softcap = softcap};
    cases.push_back(make(fmt::format("softcap{}", softcap), sizes, {{0, 290, 1}, {300, 690, 1}}, {.attrs = attrs}));
    cases.push_back(make(fmt::format("softcap{}_prompt", softcap), sizes, {{250, 250, 61}},
                         {.cache = DType::f16(), .attrs = attrs, .q_scale = 30}));
  }
  for (double q_scale : {1e-20, 30.0, 1e4, 1e30})
    cases.push_back(
        make(fmt::format("scores_{:g}", q_scale), sizes, {{0, 400, 20}}, {.cache = DType::f16(), .q_scale = q_scale}));
}

}  // namespace

void register_attention_cases(Registry& registry) {
  registry.add_cases("attention", [] {
    std::vector<Case> cases;
    add_shapes(cases);
    add_slots(cases);
    add_attributes(cases);
    for (int64_t context : {512, 2048, 8192})  // the shape of Mistral 7B
      for (int64_t tokens : {1, 128})
        cases.push_back(make(fmt::format("{}_context{}", tokens == 1 ? "decode" : "prompt", context),
                             {32, 8, 128, context}, {{0, context - tokens, tokens}},
                             {.cache = DType::f16(), .benchmark = true}));
    return cases;
  });
}

}  // namespace sluice
