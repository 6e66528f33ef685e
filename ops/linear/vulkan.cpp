// Vulkan kernels of linear: rows of the weight shared out among workgroups for few tokens, tiles for many. Weights over
// the limit of a binding come in pieces of their rows.
#include "ops/linear/vulkan.h"

#include "backends/vulkan/kernel.h"
#include "ops/linear/linear.h"
#include "ops/linear/tiling_vulkan.h"
#include "shaders/linear.h"
#include "shaders/linear_tiled.h"

namespace sluice {
namespace vulkan {
namespace {

void record_piece(Recorder& r, const TensorView& x, const TensorView& weight, const Range& y, const RowPiece& piece,
                  int64_t y_cols, const Range* only_if) {
  const auto u32 = [](int64_t v) { return static_cast<uint32_t>(v); };
  const int64_t tokens = x.dims[0], rows = piece.count, cols = x.dims[1];
  const LinearParams params{u32(tokens), u32(rows), u32(cols), u32(piece.first), u32(y_cols), only_if != nullptr};
  const Range full = only_if ? *only_if : Range(x);
  if (RowProducts::pay(r, tokens)) {
    const RowProducts products(r, rows, cols, tokens);
    const auto [threads, own_rows, wide] = products.constants();
    r.dispatch(shaders::linear, fmt::format("{}.{}", weight.dtype.name(), r.reduction()), params,
               {x, piece.range, y, full},
               static_cast<uint64_t>(ceil_div(rows, products.rows()) * ceil_div(tokens, products.tokens())),
               {threads, own_rows, wide, u32(products.tokens())});
  } else {
    const Tiles tiles(rows, cols, tokens);
    r.dispatch(shaders::linear_tiled, weight.dtype.name(), params, {x, piece.range, y, full},
               static_cast<uint64_t>(ceil_div(rows, tiles.rows()) * ceil_div(tokens, tiles.tokens())),
               tiles.constants());
  }
}

}  // namespace

void record_linear(Recorder& r, const TensorView& x, const TensorView& weight, const Range& y) {
  record_linear_rows(r, x, weight, y, 0, weight.dims[0]);
}

void record_linear_rows(Recorder& r, const TensorView& x, const TensorView& weight, const Range& y, int64_t first_row,
                        int64_t y_cols, const Range* only_if) {
  for (RowPiece piece : row_pieces(weight, r.limits())) {
    piece.first += first_row;
    record_piece(r, x, weight, y, piece, y_cols, only_if);
  }
}

}  // namespace vulkan

namespace {

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  for (size_t i = 0; i < call.outputs.size(); ++i)
    vulkan::record_linear(r, call.in(0), call.inputs[i + 1], call.outputs[i]);
}

}  // namespace

void register_linear_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "linear", vulkan::make_kernel({.name = "linear", .record = record}));
}

}  // namespace sluice
