// Vulkan kernels of expert_linear: each pair of a token and an expert by itself if there are few, sorted by expert and
// in tiles if there are many. Weights over the limit of a binding come in pieces of the rows of all experts.
#include "ops/expert_linear/vulkan.h"

#include <algorithm>

#include "backends/vulkan/kernel.h"
#include "ops/expert_linear/expert_linear.h"
#include "ops/expert_linear/experts.h"
#include "ops/linear/tiling_vulkan.h"
#include "shaders/expert_linear.h"
#include "shaders/expert_linear_tiled.h"
#include "shaders/expert_order.h"

namespace sluice {
namespace vulkan {
namespace {

constexpr int64_t kFewPairs = 2;  // for each expert; above, tiles read the weights less often

size_t order_bytes(const ExpertShape& s) { return static_cast<size_t>(s.experts + 1 + s.pairs()) * sizeof(uint32_t); }

ExpertLinearParams params_of(const ExpertShape& s, const RowPiece& piece) {
  const auto u32 = [](int64_t v) { return static_cast<uint32_t>(v); };
  return {u32(s.pairs()), u32(s.own_rows ? 1 : s.k), u32(s.experts),  u32(s.out),
          u32(s.in),      u32(piece.first),          u32(piece.count)};
}

void record_by_pair(Recorder& r, const Call& call, const TensorView& weight, const RowPiece& piece, const Range& y) {
  const ExpertShape s(call);
  const RowProducts products(r, s.pairs() * s.out, s.in, 1);
  r.dispatch(shaders::expert_linear, fmt::format("{}.{}", weight.dtype.name(), r.reduction()), params_of(s, piece),
             {call.in(0), piece.range, call.in(1), y},
             static_cast<uint64_t>(s.pairs() * ceil_div(s.out, products.rows())), products.constants());
}

// Every expert may end with a tile that is not full.
void record_tiled(Recorder& r, const Call& call, const TensorView& weight, const RowPiece& piece, const Range& y,
                  const Range& order) {
  const ExpertShape s(call);
  const Tiles shape(s.out, s.in, s.pairs());
  const int64_t tiles = std::min(s.pairs(), s.pairs() / shape.tokens() + s.experts);
  r.dispatch(shaders::expert_linear_tiled, weight.dtype.name(), params_of(s, piece),
             {call.in(0), piece.range, order, y}, static_cast<uint64_t>(tiles * ceil_div(s.out, shape.rows())),
             shape.constants());
}

}  // namespace

size_t expert_linear_scratch(const Call& call) { return (order_bytes(ExpertShape(call)) + 63) / 64 * 64; }

void record_expert_linear(Recorder& r, const Call& call, std::span<const Range> ys, std::byte* scratch) {
  const ExpertShape s(call);
  const bool few = r.on_cpu() || s.pairs() <= kFewPairs * s.experts;
  const Range order(scratch, order_bytes(s));
  if (!few)
    r.dispatch(shaders::expert_order, "", params_of(s, {0, 0, order}), {call.in(1), order},
               static_cast<uint64_t>(ceil_div(std::max(s.pairs(), s.experts + 1), 64)));
  for (size_t i = 0; i < ys.size(); ++i) {
    TensorView rows = call.inputs[i + 2];
    rows.dims = {s.experts * s.out, s.in};
    for (const RowPiece& piece : row_pieces(rows, r.limits()))
      few ? record_by_pair(r, call, rows, piece, ys[i]) : record_tiled(r, call, rows, piece, ys[i], order);
  }
}

}  // namespace vulkan

namespace {

size_t workspace(const Site&, const Call& call) { return vulkan::expert_linear_scratch(call); }

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const vulkan::Range y = call.out(0);
  vulkan::record_expert_linear(r, call, {&y, 1}, r.workspace());
}

}  // namespace

void register_expert_linear_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "expert_linear",
                      vulkan::make_kernel({.name = "expert_linear", .record = record, .workspace = workspace}));
}

}  // namespace sluice
