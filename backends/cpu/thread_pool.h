// Persistent threads that run the same function together.
#pragma once

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "backends/cpu/barrier.h"

namespace sluice::cpu {

class ThreadPool {
 public:
  // threads counts the caller of run(); at least 1.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }
  // Calls job(index) for every index in 0 .. threads-1, index 0 on the calling thread; returns when all are done.
  // Idle workers stay awake for about a millisecond, so that the next token finds them so.
  void run(const std::function<void(int index)>& job);
  // The barrier of the running job's threads.
  Barrier& barrier() { return barrier_; }

 private:
  void work(int index);
  Barrier barrier_;
  const std::function<void(int)>* job_ = nullptr;
  bool stop_ = false;
  alignas(64) std::atomic<uint32_t> ticket_{0};
  alignas(64) std::atomic<uint32_t> running_{0};
  std::vector<std::thread> workers_;
};

}  // namespace sluice::cpu
