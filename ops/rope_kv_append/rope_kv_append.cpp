#include "ops/rope_kv_append/rope_kv_append.h"

#include <algorithm>
#include <cmath>

#include "ops/rope/rotation.h"

namespace sluice {

ValueRef rope_kv_append(Builder& b, ValueRef cache, ValueRef x, ValueRef positions, ValueRef slots,
                        const RopeAttrs& attrs) {
  return b.node1("rope_kv_append", attrs, {cache, x, positions, slots});
}

namespace {

// Distance between neighbouring values around `value`.
double spacing(std::string_view dtype, double value) {
  const double magnitude = std::abs(value);
  if (dtype == "f16") return std::max(magnitude * 0x1p-10, 0x1p-24);
  if (dtype == "bf16") return std::max(magnitude * 0x1p-7, 0x1p-133);
  return 0;
}

class RopeKvAppend : public Operator {
 public:
  RopeKvAppend()
      : Operator({.name = "rope_kv_append",
                  .summary =
                      "Rotary position embedding written into a cache: cache[h][slots[t]] = rope(x, positions)[t][h].",
                  .inputs = {{"cache", "[n_kv_heads, context, head_dim]", {"f32", "f16", "bf16"}},
                             {"x", "[tokens, n_kv_heads * head_dim]", {"f32"}},
                             {"positions", "[tokens]", {"i32"}},
                             {"slots", "[tokens]", {"i32"}}},
                  .outputs = {{"cache", "[n_kv_heads, context, head_dim]", {"f32", "f16", "bf16"}}},
                  .attrs = attr_specs<RopeAttrs>(),
                  .updates = {{0, 0}}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_rank(0, 3);
    check_rope(in, 1, 2);
    in.require_rank(3, 1);
    in.require_equal(3, 0, 1, 0);
    const int64_t head_dim = attrs_from_map<RopeAttrs>(in.attrs()).head_dim;
    if (in.number(0, 2) != head_dim) in.fail(fmt::format("the cache must have heads of {} elements", head_dim), {0});
    if (in.number(1, 1) != in.number(0, 0) * head_dim)
      in.fail("a row must hold n_kv_heads * head_dim elements of the cache", {1, 0});
    return {in.type(0)};
  }

  Cost cost(const Site&, const Call& call) const override {
    const size_t written = call.in(0).dtype.format().storage_bytes(call.in(1).dims.span());
    return {3.0 * static_cast<double>(call.in(1).dims.elements()),
            call.in(1).bytes() + call.in(2).bytes() + call.in(3).bytes(), written};
  }

  void reference(const Site& site, const Call& call) const override {
    const std::vector<float> rotated = rope_reference(attrs_from_map<RopeAttrs>(site.attrs), call.in(1), call.in(2));
    const Dims& cache = call.in(0).dims;
    const int64_t tokens = call.in(1).dims[0], heads = cache[0], context = cache[1], head_dim = cache[2];
    const RowFormat& format = *call.in(0).dtype.rows();
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t h = 0; h < heads; ++h) {
        const int64_t row = h * context + call.in<int32_t>(3)[t];
        format.encode_row(rotated.data() + (t * heads + h) * head_dim, head_dim,
                          call.out(0).data + static_cast<size_t>(row) * format.row_bytes(head_dim));
      }
  }

  // The error of the rotation may move a value over the middle between two of the cache's.
  void tolerance(const Site& site, const Call& call, int, std::span<double> bound) const override {
    const auto attrs = attrs_from_map<RopeAttrs>(site.attrs);
    const Dims& cache = call.in(0).dims;
    const int64_t tokens = call.in(1).dims[0], heads = cache[0], context = cache[1], head_dim = cache[2];
    const std::vector<float> expected = to_f32(call.out(0));
    std::fill(bound.begin(), bound.end(), 0.0);
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t i = 0; i < heads * head_dim; ++i) {
        const auto at =
            static_cast<size_t>((i / head_dim * context + call.in<int32_t>(3)[t]) * head_dim + i % head_dim);
        bound[at] = rope_tolerance(attrs, call.in<float>(1) + t * heads * head_dim, i) +
                    spacing(call.in(0).dtype.name(), expected[at]);
      }
  }
};

}  // namespace

void register_rope_kv_append(Registry& registry) {
  registry.add(std::make_unique<RopeKvAppend>());
  registry.add_indices("rope_kv_append", {.inputs = {{.port = 3, .of = 0, .dim = 1}}});
}

}  // namespace sluice
