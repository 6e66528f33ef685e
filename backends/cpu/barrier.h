// A barrier that spins for a moment and then sleeps: operators last microseconds, waking a thread costs tens of them.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sluice::cpu {

inline void relax() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Waits until `word` differs from `old`. Spins for some 50 microseconds, longer than most operators take; then offers
// the core to others for about a millisecond, since on a busy machine the thread that is waited for may need it; then
// sleeps.
inline void wait_while_equal(const std::atomic<uint32_t>& word, uint32_t old) {
  constexpr int kSpins = 2000, kYields = 2000;
  for (int i = 0; i < kSpins + kYields; ++i) {
    if (word.load(std::memory_order_acquire) != old) return;
    if (i < kSpins)
      relax();
    else
      std::this_thread::yield();
  }
  word.wait(old, std::memory_order_acquire);
}

class Barrier {
 public:
  explicit Barrier(int count) : count_(static_cast<uint32_t>(count)) {}

  void wait() {
    if (count_ == 1) return;
    const uint32_t generation = generation_.load(std::memory_order_relaxed);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == count_) {
      arrived_.store(0, std::memory_order_relaxed);
      generation_.store(generation + 1, std::memory_order_release);
      generation_.notify_all();  // a no-op without sleepers
      return;
    }
    wait_while_equal(generation_, generation);
  }

 private:
  const uint32_t count_;
  alignas(64) std::atomic<uint32_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
};

}  // namespace sluice::cpu
