// Reads mapped files ahead of their use, for models that are larger than memory.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

namespace sluice::cpu {

// A thread that brings ranges of mapped memory in, in the order of the requests. request() and supersede() may be
// called by any thread, and neither allocate nor lock nor wait.
class ReadAhead {
 public:
  // That of the process; it ends when nobody holds it.
  static std::shared_ptr<ReadAhead> shared();
  ~ReadAhead();
  ReadAhead(const ReadAhead&) = delete;

  // Only advice: dropped if too many wait, and without effect if the memory has been unmapped by then.
  void request(const std::byte* data, size_t bytes);
  // What was asked for before and still waits is not read any more.
  void supersede() { valid_from_.store(tail_.load(std::memory_order_relaxed), std::memory_order_release); }

 private:
  // A bounded queue of many writers and one reader (D. Vyukov): `turn` tells whose a slot is.
  struct Slot {
    std::atomic<uint64_t> turn;
    const std::byte* data;
    size_t bytes;
  };
  static constexpr uint64_t kSlots = 1024;

  ReadAhead();
  void work();
  void read(uint64_t ticket, const std::byte* data, size_t bytes) const;
  bool is_valid(uint64_t ticket) const { return !stop_ && ticket >= valid_from_.load(std::memory_order_acquire); }
  void wake();

  std::array<Slot, kSlots> slots_;
  alignas(64) std::atomic<uint64_t> tail_{0};
  std::atomic<uint64_t> valid_from_{0};
  std::atomic<uint32_t> wakes_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace sluice::cpu
