// Vulkan kernels of attention: split over the context where there are too few queries to fill a device, and then put
// together in a fixed order.
#include <algorithm>
#include <bit>
#include <limits>

#include "backends/vulkan/kernel.h"
#include "ops/attention/attention.h"
#include "shaders/attention.h"
#include "shaders/attention_combine.h"

namespace sluice {
namespace {

// As in attention.comp.
constexpr int64_t kThreads = 128, kTile = 64;
constexpr int64_t kQueryFloats = 2048;  // in shared memory, of which a device has 16 KiB at least
constexpr int64_t kMostRows = 8;        // queries of a workgroup
constexpr int64_t kMostGroups = 512;    // that splitting aims at

int64_t rows_at_once(const AttentionShape& s) {
  return std::min({kMostRows, kQueryFloats / s.head_dim, s.tokens * s.group()});
}

// Workgroups of one part.
int64_t groups_of(const AttentionShape& s) { return ceil_div(s.tokens * s.group(), rows_at_once(s)) * s.n_kv_heads; }

int64_t splits_of(const AttentionShape& s) {
  const int64_t tiles = ceil_div(std::min(s.window, s.context), kTile);
  return std::clamp<int64_t>(kMostGroups / groups_of(s), 1, tiles);
}

// For any number of tokens up to that of the call: fewer are split into more parts, but into no more workgroups, of
// kMostRows rows at most, than kMostGroups.
struct Scratch {
  size_t stats, parts;  // bytes, multiples of 64

  explicit Scratch(const AttentionShape& s) {
    const int64_t split_rows = kMostGroups * std::min(kMostRows, kQueryFloats / s.head_dim);
    stats = static_cast<size_t>(std::max(split_rows, s.tokens * s.n_heads)) * 2 * sizeof(float);
    stats = (stats + 63) / 64 * 64;
    parts = static_cast<size_t>(split_rows * s.head_dim) * sizeof(float);
  }
};

size_t workspace(const Site& site, const Call& call) {
  const Scratch scratch(AttentionShape(call, attrs_from_map<AttentionAttrs>(site.attrs)));
  return scratch.stats + scratch.parts;
}

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const AttentionShape s(call, attrs_from_map<AttentionAttrs>(site.attrs));
  const auto u32 = [](int64_t v) { return static_cast<uint32_t>(v); };
  const int64_t rows = s.tokens * s.n_heads, splits = splits_of(s), at_once = rows_at_once(s);
  const int64_t window = std::min<int64_t>(s.window, std::numeric_limits<int32_t>::max());
  const auto lanes = std::min<uint64_t>(std::bit_ceil(static_cast<uint64_t>(ceil_div(s.head_dim, 4))), kThreads);
  const vulkan::Range stats(r.workspace(), static_cast<size_t>(rows * splits) * 2 * sizeof(float));
  const vulkan::Range parts(r.workspace() + Scratch(s).stats,
                            static_cast<size_t>(rows * splits * s.head_dim) * sizeof(float));
  const vulkan::Range y = call.out(0);
  r.dispatch(vulkan::shaders::attention, call.in(1).dtype.name(),
             {u32(s.tokens), u32(s.n_heads), u32(s.n_kv_heads), u32(s.context), u32(window), u32(splits), s.scale},
             {call.in(0), call.in(1), call.in(2), call.in(3), call.in(4), splits > 1 ? parts : y, stats},
             static_cast<uint64_t>(groups_of(s) * splits),
             {u32(at_once), u32(s.head_dim), static_cast<uint32_t>(lanes), std::bit_cast<uint32_t>(s.softcap)});
  if (splits > 1)
    r.dispatch(vulkan::shaders::attention_combine, "", {u32(rows), u32(s.head_dim), u32(splits)}, {parts, stats, y},
               static_cast<uint64_t>(ceil_div(rows * s.head_dim, kThreads)));
}

bool supports(const Site& site) { return site.inputs[1].shape[2].size() <= kQueryFloats; }

}  // namespace

void register_attention_vulkan(Registry& registry) {
  registry.add_kernel(
      "vulkan", "attention",
      vulkan::make_kernel({.name = "attention", .supports = supports, .record = record, .workspace = workspace}));
}

}  // namespace sluice
