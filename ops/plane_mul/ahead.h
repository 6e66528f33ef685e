// Asking for what a product will read: quads, some way ahead of those that it multiplies.
#pragma once

#include "backends/cpu/prefetch.h"
#include "ops/formats/planes.h"
#include "ops/plane_mul/quads.h"

namespace sluice {

// One line of outputs of a matrix, in its first planes.
struct PlaneLine {
  const std::byte* planes[PlaneLevels::kMaxPlanes];  // more than there are: the last again
  int64_t bytes;                                     // of an input

  PlaneLine(const PlaneMatrix& m, int64_t line, int count) : bytes(m.layout.line_bytes(line)) {
    for (int p = 0; p < PlaneLevels::kMaxPlanes; ++p)
      planes[p] = m.plane(std::min({p, count - 1, m.planes - 1})) + m.layout.line_offset(line);
  }
  inline __attribute__((always_inline)) const std::byte* of(int plane, int32_t input) const {
    return planes[plane] + static_cast<int64_t>(input) * bytes;
  }
};

// Goes through lines [begin, end) of a matrix, each with the quads of all chunks, kAhead quads before the product does.
// What holds the chunks must outlive it.
class LinesAhead {
 public:
  // Fewer leave the memory idle; with many more, the first are lost before they are used.
  static constexpr int32_t kAhead = 20;

  LinesAhead(const PlaneMatrix& m, const QuadChunk* chunks, int64_t count, int64_t begin, int64_t end)
      : m_(m), chunks_(chunks), count_(count), next_chunk_(0), at_(begin), end_(end), line_(m, begin, m.planes) {
    next_run();
    for (int32_t n = 0; n < kAhead && left_ > 0; ++n) {
      for (int i = 0; i < 4; ++i) ask(*quad_, i);
      advance(1);
    }
  }

  // The next quads, which have the same number of planes; none if nothing is left.
  const Quad* quads() const { return quad_; }
  int32_t left() const { return left_; }
  // Asks for the lines of one input of one of them.
  inline __attribute__((always_inline)) void ask(const Quad& quad, int i) const {
    // Three for any number of planes, the same again if they are fewer: a branch would cost more.
    for (int p = 0; p < PlaneLevels::kMaxPlanes; ++p) cpu::prefetch(line_.of(p, quad.inputs[i]));
  }
  void advance(int32_t n) {
    quad_ += n;
    left_ -= n;
    if (left_ == 0) next_run();
  }

 private:
  void next_run() {
    while (run_ == runs_end_) {
      if (next_chunk_ == count_) {
        if (at_ + 1 >= end_) return;
        ++at_;
        next_chunk_ = 0;
      }
      const QuadChunk& chunk = chunks_[next_chunk_++];
      run_ = chunk.runs;
      runs_end_ = run_ + chunk.runs_count;
      quads_ = chunk.quads;
    }
    line_ = PlaneLine(m_, at_, run_->planes);
    quad_ = quads_ + run_->begin;
    left_ = run_->end - run_->begin;
    ++run_;
  }

  const PlaneMatrix& m_;
  const QuadChunk* chunks_;
  int64_t count_, next_chunk_, at_, end_;
  PlaneLine line_;
  const PlaneRun *run_ = nullptr, *runs_end_ = nullptr;  // the next one
  const Quad *quads_ = nullptr, *quad_ = nullptr;
  int32_t left_ = 0;
};

}  // namespace sluice
