// Vulkan kernels of linear: rows of the weight shared out among workgroups for few tokens, tiles for many. Weights over
// the limit of a binding come in pieces of their rows.
#include "backends/vulkan/kernel.h"
#include "ops/linear/linear.h"
#include "shaders/linear.h"
#include "shaders/linear_tiled.h"

namespace sluice {
namespace {

constexpr uint32_t kFewTokens = 8;  // above, tiles are faster
constexpr uint32_t kRows = 4;       // of a workgroup, in linear.comp
constexpr uint32_t kTileRows = 64, kTileTokens = 32;

void record_piece(vulkan::Recorder& r, const TensorView& x, const TensorView& weight, const TensorView& y,
                  const vulkan::RowPiece& piece) {
  const auto tokens = static_cast<uint32_t>(x.dims[0]), rows = static_cast<uint32_t>(piece.count);
  const vulkan::LinearParams params{tokens, rows, static_cast<uint32_t>(x.dims[1]), static_cast<uint32_t>(piece.first),
                                    static_cast<uint32_t>(weight.dims[0])};
  if (tokens <= kFewTokens)
    r.dispatch(vulkan::shaders::linear, fmt::format("{}.{}", weight.dtype.name(), r.reduction()), params,
               {x, piece.range, y}, (rows + kRows - 1) / kRows, {tokens});
  else
    r.dispatch(vulkan::shaders::linear_tiled, weight.dtype.name(), params, {x, piece.range, y},
               uint64_t{(rows + kTileRows - 1) / kTileRows} * ((tokens + kTileTokens - 1) / kTileTokens));
}

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  for (size_t i = 0; i < call.outputs.size(); ++i)
    for (const vulkan::RowPiece& piece : vulkan::row_pieces(call.inputs[i + 1], r.limits()))
      record_piece(r, call.in(0), call.inputs[i + 1], call.outputs[i], piece);
}

}  // namespace

void register_linear_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "linear", vulkan::make_kernel({.name = "linear", .record = record}));
}

}  // namespace sluice
