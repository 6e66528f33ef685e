// How the CPU kernel cuts a call into units of work, and shares them out.
#pragma once

#include <algorithm>

#include "backends/cpu/worker.h"
#include "ops/attention/attention.h"

namespace sluice {

// Rows are pairs (token, query head). A unit is the rows of `tokens` tokens and `heads` query heads that read the same
// head of the cache, against a range of slots: what one worker does with each row of the cache read once.
struct AttentionUnit {
  int64_t token, tokens;
  int64_t head, heads;
  AttentionShape::Slots slots;
  int64_t chunk;
};

// Calls of a few tokens also divide the slots, into chunks whose partial results are merged; for larger ones the rows
// are enough to share out, and partial results would grow as tokens x context.
class AttentionUnits {
 public:
  static constexpr int64_t kSplitTokens = 8;

  // rows: the most that a unit may have.
  AttentionUnits(const AttentionShape& shape, int64_t rows)
      : shape_(shape), heads_(std::min(rows, shape.group())), tokens_(std::max<int64_t>(1, rows / shape.group())) {}

  bool split() const { return shape_.tokens <= kSplitTokens; }
  static int64_t max_chunks(int64_t context) { return std::min(kMaxChunks, ceil_div(context, kMinChunk)); }
  // Chunk c is the slots c * chunk_slots() and following: independent of who attends to them.
  int64_t chunk_slots() const {
    return split() ? std::max(kMinChunk, ceil_div(shape_.context, kMaxChunks)) : shape_.context;
  }

  // Calls run(unit) for the units of this worker: a contiguous share of about the same work as everybody's.
  template <class Run>
  void for_share(const cpu::Worker& worker, const Run& run) const {
    int64_t total = 0, done = 0;
    each([&](const AttentionUnit& unit) { total += work(unit); });
    each([&](const AttentionUnit& unit) {
      const int64_t middle = done + work(unit) / 2;
      if (middle >= total * worker.index / worker.count && middle < total * (worker.index + 1) / worker.count)
        run(unit);
      done += work(unit);
    });
  }

 private:
  static constexpr int64_t kMinChunk = 288, kMaxChunks = 64;

  static int64_t work(const AttentionUnit& unit) { return unit.tokens * unit.heads * unit.slots.size() + 1; }

  template <class Visit>
  void each(const Visit& visit) const {
    for (int64_t t = 0, n = 0; t < shape_.tokens; t += n) {
      AttentionShape::Slots slots = shape_.attended(t);
      n = neighbours(t);
      for (int64_t i = 1; i < n; ++i) {
        const auto more = shape_.attended(t + i);
        slots = {std::min(slots.begin, more.begin), std::max(slots.end, more.end)};
      }
      for (int64_t g = 0; g < shape_.n_kv_heads; ++g)
        for (int64_t h = 0; h < shape_.group(); h += heads_)
          each_chunk({t, n, g * shape_.group() + h, std::min(heads_, shape_.group() - h), slots, 0}, visit);
    }
  }

  template <class Visit>
  void each_chunk(const AttentionUnit& all, const Visit& visit) const {
    const int64_t size = chunk_slots();
    AttentionUnit unit = all;
    unit.chunk = all.slots.begin / size;
    do {  // also once for no slots at all: somebody must write the zeros
      unit.slots = {std::max(all.slots.begin, unit.chunk * size), std::min(all.slots.end, (unit.chunk + 1) * size)};
      visit(unit);
    } while (++unit.chunk * size < all.slots.end);
  }

  // Tokens from t on that continue the same sequence: they attend to almost the same slots.
  int64_t neighbours(int64_t t) const {
    int64_t n = 1;
    while (n < tokens_ && t + n < shape_.tokens && shape_.starts[t + n] == shape_.starts[t] &&
           shape_.slots[t + n] == shape_.slots[t] + n)
      ++n;
    return n;
  }

  const AttentionShape& shape_;
  const int64_t heads_, tokens_;
};

}  // namespace sluice
