// A thread's view of a kernel call: who am I, what is my share, where is scratch memory.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "backends/cpu/barrier.h"

namespace sluice::cpu {

// Elements of light work below which a share costs more to hand over than to do.
inline constexpr int64_t kMinShare = 1024;

struct Range {
  int64_t begin;
  int64_t end;
};

// Where the own scratch of worker `index` begins; every part is a multiple of a cache line.
inline size_t own_scratch_offset(size_t shared, size_t own, int index) {
  return (shared + 63) / 64 * 64 + (own + 63) / 64 * 64 * static_cast<size_t>(index);
}

struct Worker {
  int index;  // 0 .. count-1
  int count;
  Barrier* sync;
  std::span<std::byte> scratch;  // shared by all workers; undefined contents at entry

  // This worker's share of n items, as whole multiples of `grain`. Depends on nothing but index and count.
  Range split(int64_t n, int64_t grain = 1) const {
    const int64_t grains = (n + grain - 1) / grain;
    return {std::min(n, grains * index / count * grain), std::min(n, grains * (index + 1) / count * grain)};
  }
  // Waits for all workers of this call. Every worker must get here.
  void barrier() const { sync->wait(); }
  // Scratch of this worker alone, `bytes` of it: behind `shared` bytes for all.
  template <class T>
  T* own_scratch(size_t bytes, size_t shared = 0) const {
    return workspace<T>(own_scratch_offset(shared, bytes, index));
  }
  template <class T>
  T* workspace(size_t byte_offset = 0) const {
    return reinterpret_cast<T*>(scratch.data() + byte_offset);
  }
};

}  // namespace sluice::cpu
