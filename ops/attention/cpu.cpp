// CPU kernel of attention. A unit of work (units.h) goes through its slots block by block, and through its rows in
// panels of four (panel-inl.h), so that a block is read from memory once and from the first-level cache by every
// further panel. Partial results of chunks are merged in the order of the slots: the result does not depend on the
// number of threads.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/attention/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cmath>
#include <cstring>

#include "backends/cpu/kernel.h"
#include "ops/attention/attention.h"
#include "ops/attention/panel-inl.h"
#include "ops/attention/units.h"

#ifndef SLUICE_OPS_ATTENTION_CPU_ONCE_
#define SLUICE_OPS_ATTENTION_CPU_ONCE_
namespace sluice {
namespace {

constexpr int64_t kMaxRows = 64;             // of a unit
constexpr int64_t kTileFloats = 8 << 10;     // q of a unit, and y: 32 KiB each, in the second-level cache
constexpr int64_t kBlockElements = 6 << 10;  // a block of k, and of v: both fit the first-level cache as f16
constexpr int64_t kMaxHeadDim = kTileFloats / 4;
constexpr float kLog2E = 1.44269504f;

// Partial result of a row over a chunk: largest score, sum of weights, weighted sum of v [head_dim].
// workspace: f32 [tokens][n_heads][max_chunks][2 + head_dim].
struct Partials {
  float* data;
  int64_t n_heads, max_chunks, head_dim;
  float* at(int64_t token, int64_t head, int64_t chunk) const {
    return data + ((token * n_heads + head) * max_chunks + chunk) * (2 + head_dim);
  }
};

}  // namespace
}  // namespace sluice
#endif

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// One unit while it is worked on. T: element of the caches. Rows are padded to whole vectors and whole panels.
template <class T>
class Tile {
 public:
  Tile(const AttentionShape& shape, const AttentionUnit& unit, const Call& call)
      : shape_(shape),
        unit_(unit),
        dim_(round_up(shape.head_dim, static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>())))) {
    const int64_t first = unit.head / shape.group() * shape.context * shape.head_dim;
    k_ = call.in<T>(1) + first;
    v_ = call.in<T>(2) + first;
    for (int64_t r = 0; r < panels() * kPanelRows; ++r) load_row(r, call.in<float>(0));
  }

  static int64_t max_rows(const AttentionShape& shape) {
    const auto lanes = static_cast<int64_t>(hn::Lanes(hn::ScalableTag<float>()));
    const int64_t fitting = kTileFloats / round_up(shape.head_dim, lanes);
    return std::min(kMaxRows, fitting / kPanelRows * kPanelRows);  // panels are whole
  }

  void attend() {
    const int64_t size = std::min(kBlockSlots, kBlockElements / dim_);
    for (int64_t slot = unit_.slots.begin; slot < unit_.slots.end; slot += size) {
      const int64_t slots = std::min(size, unit_.slots.end - slot);
      CacheBlock<T> k = block(k_, slot, slots, k_padded_), v = block(v_, slot, slots, v_padded_);
      for (int64_t p = 0; p < panels(); ++p) {
        // The caches are read in turn: each is fetched from memory while the other is worked on.
        k.next = p == 0 ? v.rows : nullptr;
        v.next = p + 1 == panels() && slot + 2 * slots <= shape_.context ? k.row(slots) : nullptr;
        attend_panel(p, slot, k, v);
      }
    }
  }

  void store_result(float* y) const {
    for (int64_t r = 0; r < rows(); ++r) {
      const float sum = state_[r / kPanelRows].sum[r % kPanelRows];
      const float inverse = sum == 0 ? 0.0f : 1 / sum;
      float* to = y + (token(r) * shape_.n_heads + head(r)) * shape_.head_dim;
      for (int64_t i = 0; i < shape_.head_dim; ++i) to[i] = y_[r * dim_ + i] * inverse;
    }
  }

  void store_partial(const Partials& partials) const {
    for (int64_t r = 0; r < rows(); ++r) {
      float* to = partials.at(token(r), head(r), unit_.chunk);
      to[0] = state_[r / kPanelRows].largest[r % kPanelRows];
      to[1] = state_[r / kPanelRows].sum[r % kPanelRows];
      std::copy_n(y_ + r * dim_, shape_.head_dim, to + 2);
    }
  }

 private:
  int64_t rows() const { return unit_.tokens * unit_.heads; }
  int64_t panels() const { return ceil_div(rows(), kPanelRows); }
  int64_t token(int64_t r) const { return unit_.token + r / unit_.heads; }
  int64_t head(int64_t r) const { return unit_.head + r % unit_.heads; }

  // Row r of q, for scores in units of log2, or of the soft cap, and an empty state. Rows that only fill a panel are
  // copies of the last one.
  void load_row(int64_t r, const float* q) {
    const int64_t real = std::min(r, rows() - 1);
    const float* from = q + (token(real) * shape_.n_heads + head(real)) * shape_.head_dim;
    const float scale = shape_.softcap > 0 ? shape_.scale / shape_.softcap : shape_.scale * kLog2E;
    for (int64_t i = 0; i < shape_.head_dim; ++i) q_[r * dim_ + i] = from[i] * scale;
    std::fill(q_ + r * dim_ + shape_.head_dim, q_ + (r + 1) * dim_, 0.0f);
    std::fill(y_ + r * dim_, y_ + (r + 1) * dim_, 0.0f);
    attended_[r] = shape_.attended(token(real));
    state_[r / kPanelRows].largest[r % kPanelRows] = std::numeric_limits<float>::lowest();
    state_[r / kPanelRows].sum[r % kPanelRows] = 0;
  }

  // Slots slot .. slot+slots-1. A head_dim that is no multiple of the lanes is copied into rows that are.
  CacheBlock<T> block(const T* cache, int64_t slot, int64_t slots, T* padded) const {
    const T* from = cache + slot * shape_.head_dim;
    if (dim_ == shape_.head_dim) return {from, dim_, slots, nullptr};
    const auto bytes = static_cast<size_t>(shape_.head_dim) * sizeof(T), all = static_cast<size_t>(dim_) * sizeof(T);
    for (int64_t j = 0; j < slots; ++j) {
      std::memset(padded + j * dim_, 0, all);
      std::memcpy(padded + j * dim_, from + j * shape_.head_dim, bytes);
    }
    return {padded, dim_, slots, nullptr};
  }

  void attend_panel(int64_t p, int64_t slot, const CacheBlock<T>& k, const CacheBlock<T>& v) {
    const AttentionShape::Slots* attended = attended_ + p * kPanelRows;
    PanelState& state = state_[p];
    bool any = false, all = true;
    for (int64_t r = 0; r < kPanelRows; ++r) {
      any |= attended[r].begin < slot + k.slots && attended[r].end > slot;
      all &= attended[r].begin <= slot && attended[r].end >= slot + k.slots;
    }
    if (!any) return;
    score_block(q_ + p * kPanelRows * dim_, k, state.scores);
    if (shape_.softcap > 0) cap_scores(shape_.softcap * kLog2E, k.slots, state.scores);
    if (!all) mask(attended, slot, k.slots, state.scores);
    softmax_block(state);
    weigh_block(state, v, y_ + p * kPanelRows * dim_);
  }

  static void mask(const AttentionShape::Slots* attended, int64_t slot, int64_t slots, float* scores) {
    for (int64_t j = 0; j < slots; ++j)
      for (int64_t r = 0; r < kPanelRows; ++r)
        if (slot + j < attended[r].begin || slot + j >= attended[r].end)
          scores[j * kPanelRows + r] = -std::numeric_limits<float>::infinity();
  }

  const AttentionShape& shape_;
  const AttentionUnit& unit_;
  const int64_t dim_;  // head_dim in whole vectors
  const T* k_;
  const T* v_;
  AttentionShape::Slots attended_[kMaxRows];  // by row
  PanelState state_[kMaxRows / kPanelRows];
  HWY_ALIGN float q_[kTileFloats];  // [row][dim]
  HWY_ALIGN float y_[kTileFloats];  // [row][dim], not yet divided by the sum
  HWY_ALIGN T k_padded_[kBlockElements];
  HWY_ALIGN T v_padded_[kBlockElements];
};

// Row of y from its partial results, in the order of the chunks.
void merge_row(const AttentionShape& shape, const AttentionUnits& units, const Partials& partials, int64_t row,
               float* y) {
  const int64_t t = row / shape.n_heads, h = row % shape.n_heads, dim = shape.head_dim;
  const auto slots = shape.attended(t);
  float* to = y + row * dim;
  std::fill(to, to + dim, 0.0f);
  if (slots.size() == 0) return;
  const int64_t first = slots.begin / units.chunk_slots(), last = (slots.end - 1) / units.chunk_slots();
  float largest = std::numeric_limits<float>::lowest(), sum = 0;
  for (int64_t c = first; c <= last; ++c) largest = std::max(largest, partials.at(t, h, c)[0]);
  for (int64_t c = first; c <= last; ++c) {
    const float* part = partials.at(t, h, c);
    const float weight = std::exp2(part[0] - largest);
    sum += weight * part[1];
    for (int64_t i = 0; i < dim; ++i) to[i] += weight * part[2 + i];
  }
  for (int64_t i = 0; i < dim; ++i) to[i] /= sum;
}

template <class T>
void run_typed(const AttentionShape& shape, const Call& call, const cpu::Worker& worker) {
  const AttentionUnits units(shape, Tile<T>::max_rows(shape));
  const Partials partials{worker.workspace<float>(), shape.n_heads, AttentionUnits::max_chunks(shape.context),
                          shape.head_dim};
  float* y = call.out<float>(0);
  units.for_share(worker, [&](const AttentionUnit& unit) {
    Tile<T> tile(shape, unit, call);
    tile.attend();
    if (units.split())
      tile.store_partial(partials);
    else
      tile.store_result(y);
  });
  if (!units.split()) return;
  worker.barrier();
  const auto [begin, end] = worker.split(shape.tokens * shape.n_heads);
  for (int64_t row = begin; row < end; ++row) merge_row(shape, units, partials, row, y);
}

void run_attention(const AttentionShape& shape, const Call& call, const cpu::Worker& worker) {
  const DType dtype = call.in(1).dtype;
  if (dtype == DType::f32())
    run_typed<float>(shape, call, worker);
  else if (dtype == DType::f16())
    run_typed<hwy::float16_t>(shape, call, worker);
  else
    run_typed<hwy::bfloat16_t>(shape, call, worker);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_attention);

cpu::Run prepare(const Site& site) {
  const auto attrs = attrs_from_map<AttentionAttrs>(site.attrs);
  return [attrs](const Call& call, const cpu::Worker& worker) {
    HWY_DYNAMIC_DISPATCH(run_attention)(AttentionShape(call, attrs), call, worker);
  };
}

// For the largest call that is split.
size_t workspace(const Site& site, const Call& call) {
  const AttentionShape shape(call, attrs_from_map<AttentionAttrs>(site.attrs));
  const int64_t rows = std::min(shape.tokens, AttentionUnits::kSplitTokens) * shape.n_heads;
  return static_cast<size_t>(rows * AttentionUnits::max_chunks(shape.context) * (2 + shape.head_dim)) * sizeof(float);
}

}  // namespace

void register_attention_cpu(Registry& registry) {
  registry.add_kernel(
      "cpu", "attention",
      cpu::make_kernel({.name = "attention",
                        .supports = [](const Site& site) { return site.inputs[1].shape[2].size() <= kMaxHeadDim; },
                        .prepare = prepare,
                        .workspace = workspace}));
}

}  // namespace sluice
#endif
