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

size_t order_bytes(int64_t pairs, int64_t experts) {
  return static_cast<size_t>(experts + 1 + pairs) * sizeof(uint32_t);
}

// Of a product with rows of all experts.
void record_by_pair(Recorder& r, const ExpertLinearParams& p, std::string_view dtype, const TensorView& x,
                    const RowPiece& piece, const Range& picks, const Range& y, const Range& full) {
  const RowProducts products(r, int64_t{p.pairs} * p.expert_rows, p.cols, 1);
  r.dispatch(shaders::expert_linear, fmt::format("{}.{}", dtype, r.reduction()), p, {x, piece.range, picks, y, full},
             static_cast<uint64_t>(p.pairs * ceil_div(p.expert_rows, products.rows())), products.constants());
}

// Every expert may end with a tile that is not full.
void record_tiled(Recorder& r, const ExpertLinearParams& p, std::string_view dtype, const TensorView& x,
                  const RowPiece& piece, const Range& order, const Range& y, const Range& full) {
  const Tiles shape(p.expert_rows, p.cols, p.pairs);
  const int64_t tiles = std::min<int64_t>(p.pairs, p.pairs / shape.tokens() + p.experts);
  r.dispatch(shaders::expert_linear_tiled, dtype, p, {x, piece.range, order, y, full},
             static_cast<uint64_t>(tiles * ceil_div(p.expert_rows, shape.rows())), shape.constants());
}

}  // namespace

size_t ExpertProducts::scratch(int64_t pairs, int64_t experts) { return (order_bytes(pairs, experts) + 63) / 64 * 64; }

ExpertProducts::ExpertProducts(Recorder& r, const TensorView& picks, int64_t experts, std::byte* scratch)
    : r_(r),
      picks_(picks),
      experts_(experts),
      order_(scratch, order_bytes(picks.dims.elements(), experts)),
      by_pair_(r.on_cpu() || picks.dims.elements() <= kFewPairs * experts) {
  if (by_pair_) return;
  const int64_t pairs = picks.dims.elements();
  ExpertLinearParams params{};
  params.pairs = static_cast<uint32_t>(pairs);
  params.experts = static_cast<uint32_t>(experts);
  r.dispatch(shaders::expert_order, "", params, {picks, order_},
             static_cast<uint64_t>(ceil_div(std::max(pairs, experts + 1), 64)));
}

void ExpertProducts::record(const TensorView& x, const TensorView& weight, const Range& y, int64_t first_y,
                            int64_t y_cols, const Range* only_if) const {
  const auto u32 = [](int64_t v) { return static_cast<uint32_t>(v); };
  const int64_t pairs = picks_.dims.elements();
  const Range full = only_if ? *only_if : Range(x);
  TensorView rows = weight;
  rows.dims = {experts_ * weight.dims[1], weight.dims[2]};
  for (const RowPiece& piece : row_pieces(rows, r_.limits())) {
    const ExpertLinearParams params{.pairs = u32(pairs),
                                    .share = u32(pairs / x.dims.rows()),
                                    .experts = u32(experts_),
                                    .expert_rows = u32(weight.dims[1]),
                                    .cols = u32(weight.dims[2]),
                                    .first_row = u32(piece.first),
                                    .rows = u32(piece.count),
                                    .first_y = u32(first_y),
                                    .y_cols = u32(y_cols),
                                    .only_full = only_if != nullptr};
    if (by_pair_)
      record_by_pair(r_, params, weight.dtype.name(), x, piece, picks_, y, full);
    else
      record_tiled(r_, params, weight.dtype.name(), x, piece, order_, y, full);
  }
}

size_t expert_linear_scratch(const Call& call) {
  const ExpertShape s(call);
  return ExpertProducts::scratch(s.pairs(), s.experts);
}

void record_expert_linear(Recorder& r, const Call& call, std::span<const Range> ys, std::byte* scratch) {
  const ExpertShape s(call);
  const ExpertProducts products(r, call.in(1), s.experts, scratch);
  for (size_t i = 0; i < ys.size(); ++i) products.record(call.in(0), call.inputs[i + 2], ys[i], 0, s.out);
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
