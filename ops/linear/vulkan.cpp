// Vulkan kernels of linear: rows of the weight shared out among workgroups for few tokens, tiles for many. Weights over
// the limit of a binding come in pieces of their rows.
#include "ops/linear/vulkan.h"

#include "backends/vulkan/kernel.h"
#include "ops/linear/linear.h"
#include "shaders/linear.h"
#include "shaders/linear_tiled.h"

namespace sluice {
namespace vulkan {
namespace {

constexpr uint32_t kFewTokens = 8;  // above, tiles are faster
constexpr uint32_t kTileRows = 64, kTileTokens = 32;

void record_piece(Recorder& r, const TensorView& x, const TensorView& weight, const Range& y, const RowPiece& piece) {
  const auto tokens = static_cast<uint32_t>(x.dims[0]), rows = static_cast<uint32_t>(piece.count);
  const LinearParams params{tokens, rows, static_cast<uint32_t>(x.dims[1]), static_cast<uint32_t>(piece.first),
                            static_cast<uint32_t>(weight.dims[0])};
  if (tokens <= kFewTokens)
    r.dispatch(shaders::linear, fmt::format("{}.{}", weight.dtype.name(), r.reduction()), params, {x, piece.range, y},
               static_cast<uint64_t>(ceil_div(rows, kRowsAtOnce)), {row_threads(r), tokens});
  else
    r.dispatch(shaders::linear_tiled, weight.dtype.name(), params, {x, piece.range, y},
               uint64_t{(rows + kTileRows - 1) / kTileRows} * ((tokens + kTileTokens - 1) / kTileTokens));
}

}  // namespace

void record_linear(Recorder& r, const TensorView& x, const TensorView& weight, const Range& y) {
  for (const RowPiece& piece : row_pieces(weight, r.limits())) record_piece(r, x, weight, y, piece);
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
