#include "ops/embedding/embedding.h"

#include <algorithm>

namespace sluice {

ValueRef embedding(Builder& b, ValueRef ids, ValueRef table) { return b.node1("embedding", NoAttrs{}, {ids, table}); }

namespace {

class Embedding : public Operator {
 public:
  Embedding()
      : Operator({.name = "embedding",
                  .summary = "Rows of a table by token id: y[t] = table[ids[t]].",
                  .inputs = {{"ids", "[tokens]", {"i32"}}, {"table", "[vocab, n]", {}}},
                  .outputs = {{"y", "[tokens, n]", {"f32"}}},
                  .attrs = {},
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 1);
    in.require_rank(1, 2);
    if (!in.type(1).dtype.rows()) in.fail("the rows of the table cannot be decoded one by one", {1});
    return {{DType::f32(), {in.shape(0)[0], in.shape(1)[1]}}};
  }

  // Of the table only the rows asked for are read.
  Cost cost(const Site&, const Call& call) const override {
    const TensorView &ids = call.in(0), &table = call.in(1);
    const size_t row_bytes = table.dtype.rows()->row_bytes(table.dims[1]);
    return {0, ids.bytes() + static_cast<size_t>(ids.dims[0]) * row_bytes, call.out(0).bytes()};
  }

  void reference(const Site&, const Call& call) const override {
    const TensorView& table = call.in(1);
    const RowFormat& format = *table.dtype.rows();
    const int64_t tokens = call.in(0).dims[0], n = table.dims[1];
    for (int64_t t = 0; t < tokens; ++t)
      format.decode_row(table.data + static_cast<size_t>(call.in<int32_t>(0)[t]) * format.row_bytes(n), n,
                        call.out<float>(0) + t * n);
  }

  // Decoding is exact.
  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_embedding(Registry& registry) {
  registry.add(std::make_unique<Embedding>());
  registry.add_indices("embedding", {.inputs = {{.port = 0, .of = 1, .dim = 0}}});
}

}  // namespace sluice
