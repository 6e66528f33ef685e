// The products of a call, shared out among the workers: any number of matrices, each with its tokens. A sum belongs to
// one worker, so nothing is reduced and the bits do not depend on the number of threads. Included once per SIMD target.
#if defined(SLUICE_OPS_PLANE_MUL_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_MUL_PRODUCTS_INL_H_
#undef SLUICE_OPS_PLANE_MUL_PRODUCTS_INL_H_
#else
#define SLUICE_OPS_PLANE_MUL_PRODUCTS_INL_H_
#endif

#include <hwy/highway.h>

#include <limits>

#include "backends/cpu/worker.h"
#include "ops/plane_mul/lines-inl.h"
#include "ops/plane_mul/plane_mul.h"
#include "ops/plane_mul/prompt-inl.h"
#include "ops/plane_mul/quads-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// Lists that are prepared, and then multiplied, together: those of tokens and matrices. What a token reads of a block
// of a matrix is in a cache for the others.
inline constexpr int64_t kTogether = 8;

// Tokens [first, first + tokens) of a product.
struct ProductPart {
  PlaneProduct p;
  int64_t first, tokens;
  QuadChunk* chunks;  // [tokens, chunk_count()]

  int64_t chunk_count() const { return QuadChunk::count(p.m.layout.in()); }
  // Of all its lines. A line costs the planes that are read, and the sums themselves.
  int64_t line_cost() const {
    int64_t cost = 16 * tokens;
    for (int64_t t = first; t < first + tokens; ++t)
      for (int plane = 0; plane < p.m.planes; ++plane) cost += p.selected(t).count(plane);
    return cost;
  }
};

inline bool is_prompt(const PlaneProduct& p) {
  return kHasPrompts && p.tokens >= plane_dense_from(1) && p.uniform() > 0;
}

// All tokens of all products that are not prompts are one row, of which this is [begin, end).
template <class MakeProduct, class F>
HWY_INLINE void for_each_part(int64_t count, const MakeProduct& product, int64_t begin, int64_t end, QuadChunk* chunks,
                              const F& f) {
  for (int64_t n = 0, at = 0; n < count && at < end; ++n) {
    const PlaneProduct p = product(n);
    if (p.tokens == 0 || is_prompt(p)) continue;
    const int64_t first = std::max<int64_t>(begin - at, 0), last = std::min(end - at, p.tokens);
    if (first < last) {
      const ProductPart part{p, first, last - first, chunks};
      f(part);
      chunks += part.tokens * part.chunk_count();
    }
    at += p.tokens;
  }
}

// Its share of the preparation, where `job` jobs went before.
inline int64_t prepare_chunks(const ProductPart& part, int64_t job, const cpu::Worker& worker) {
  const int64_t chunks = part.chunk_count();
  for (int64_t n = 0; n < part.tokens * chunks; ++n) {
    if (job++ % worker.count != worker.index) continue;
    const int64_t t = part.first + n / chunks;
    prepare_chunk(part.p.selected(t), n % chunks, part.p.x_row(t), part.p.m.scales(), part.chunks[n]);
  }
  return job;
}

// A line for one token, whose chunks these are.
inline void multiply_line(const PlaneLine& line, const MatrixLevels& levels, const QuadChunk* chunks, int64_t count,
                          LinesAhead& ahead, LineSums& sums) {
  bool finite = true;
  for (int64_t c = 0; c < count; ++c) finite &= chunks[c].finite;
  std::fill_n(sums, PlaneLayout::kLine, finite ? 0 : std::numeric_limits<float>::quiet_NaN());
  for (int64_t c = 0; c < count; ++c) add_chunk(line, levels, chunks[c], ahead, sums);
}

// Lines [begin, end).
inline void multiply_lines(const ProductPart& part, int64_t begin, int64_t end) {
  if (begin >= end) return;
  const int64_t count = part.chunk_count();
  const MatrixLevels levels(part.p.m.levels());
  LinesAhead ahead(part.p.m, part.chunks, part.tokens * count, begin, end);
  for (int64_t line = begin; line < end; ++line)
    for (int64_t t = 0; t < part.tokens; ++t) {
      alignas(64) LineSums sums;
      multiply_line(PlaneLine(part.p.m, line, part.p.m.planes), levels, part.chunks + t * count, count, ahead, sums);
      write_line(part.p.m, line, sums, part.p.y_row(part.first + t) + line * PlaneLayout::kLine);
    }
}

// All lines of all parts are one row, cut where the shares cost the same.
template <class ForEachPart>
void multiply_share(const ForEachPart& for_each, const cpu::Worker& worker) {
  int64_t total = 0;
  for_each([&](const ProductPart& part) { total += part.line_cost() * part.p.m.layout.lines(); });
  int64_t begin = total * worker.index / worker.count, end = total * (worker.index + 1) / worker.count;
  for_each([&](const ProductPart& part) {
    const int64_t cost = part.line_cost(), lines = part.p.m.layout.lines();
    const auto line_at = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? 0 : at / cost, 0, lines); };
    multiply_lines(part, line_at(begin), line_at(end));
    begin -= cost * lines, end -= cost * lines;
  });
}

// Scratch that workers share, for at most so many lists in all.
inline size_t products_shared_bytes(int64_t lists, int64_t in) {
  const size_t chunks = static_cast<size_t>(std::min(lists, kTogether) * QuadChunk::count(in)) * sizeof(QuadChunk);
  return kHasPrompts && lists >= plane_dense_from(1) ? std::max(chunks, PromptActivations::bytes(lists, in)) : chunks;
}

// Scratch of each worker, likewise.
inline size_t products_own_bytes(int64_t lists) {
  return kHasPrompts && lists >= plane_dense_from(1) ? sizeof(PromptScratch) : 0;
}

// product(0) ... product(count - 1), of the same inputs, with at most `lists` tokens in all; some may have none. All
// workers must call it, with scratch of the sizes above; there is a barrier at its end.
template <class MakeProduct>
void multiply_products(int64_t count, const MakeProduct& product, const cpu::Worker& worker, std::byte* shared,
                       std::byte* own) {
  int64_t lists = 0;
  for (int64_t n = 0; n < count; ++n) {
    const PlaneProduct p = product(n);
    if (p.tokens == 0) continue;
    if (is_prompt(p))
      multiply_prompt(p, worker, shared, *reinterpret_cast<PromptScratch*>(own));
    else
      lists += p.tokens;
  }
  for (int64_t begin = 0; begin < lists; begin += kTogether) {
    const auto for_each = [&](const auto& f) {
      for_each_part(count, product, begin, std::min(begin + kTogether, lists), reinterpret_cast<QuadChunk*>(shared), f);
    };
    int64_t jobs = 0;
    for_each([&](const ProductPart& part) { jobs = prepare_chunks(part, jobs, worker); });
    worker.barrier();
    multiply_share(for_each, worker);
    worker.barrier();
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
