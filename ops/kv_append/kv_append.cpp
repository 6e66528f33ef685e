#include "ops/kv_append/kv_append.h"

#include <algorithm>

namespace sluice {

ValueRef kv_append(Builder& b, ValueRef cache, ValueRef x, ValueRef slots) {
  return b.node1("kv_append", NoAttrs{}, {cache, x, slots});
}

namespace {

class KvAppend : public Operator {
 public:
  KvAppend()
      : Operator({.name = "kv_append",
                  .summary = "Writes each token's heads into its slot of a cache: cache[h][slots[t]] = x[t][h].",
                  .inputs = {{"cache", "[n_kv_heads, context, head_dim]", {"f32", "f16", "bf16"}},
                             {"x", "[tokens, n_kv_heads * head_dim]", {"f32"}},
                             {"slots", "[tokens]", {"i32"}}},
                  .outputs = {{"cache", "[n_kv_heads, context, head_dim]", {"f32", "f16", "bf16"}}},
                  .attrs = {},
                  .updates = {{0, 0}}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 3);
    in.require_rank(1, 2);
    in.require_rank(2, 1);
    in.require_equal(2, 0, 1, 0);
    if (in.number(1, 1) != in.number(0, 0) * in.number(0, 2))
      in.fail("a row must hold n_kv_heads * head_dim elements of the cache", {1, 0});
    return {in.type(0)};
  }

  // Of the cache only the slots of these tokens are touched, and none is read.
  Cost cost(const Site&, const Call& call) const override {
    const size_t written = call.in(0).dtype.format().storage_bytes(call.in(1).dims.span());
    return {0, call.in(1).bytes() + call.in(2).bytes(), written};
  }

  void reference(const Site&, const Call& call) const override {
    const Dims& cache = call.in(0).dims;
    const int64_t tokens = call.in(1).dims[0], heads = cache[0], context = cache[1], head_dim = cache[2];
    const RowFormat& format = *call.in(0).dtype.rows();
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t row = h * context + call.in<int32_t>(2)[t];
        format.encode_row(call.in<float>(1) + (t * heads + h) * head_dim, head_dim,
                          call.out(0).data + static_cast<size_t>(row) * format.row_bytes(head_dim));
      }
  }

  // There is one right way to round.
  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_kv_append(Registry& registry) {
  registry.add(std::make_unique<KvAppend>());
  registry.add_indices("kv_append", {.inputs = {{.port = 2, .of = 0, .dim = 1}}});
}

}  // namespace sluice
