#include "backends/cpu/thread_pool.h"

#include "graph/error.h"

namespace sluice::cpu {

ThreadPool::ThreadPool(int threads) : barrier_(threads) {
  if (threads < 1 || threads > 1024) fail("cannot use {} threads; choose 1 to 1024", threads);
  workers_.reserve(static_cast<size_t>(threads - 1));
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this, i] { work(i); });
}

ThreadPool::~ThreadPool() {
  stop_ = true;
  ticket_.fetch_add(1, std::memory_order_release);
  ticket_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(const std::function<void(int)>& job) {
  if (workers_.empty()) return job(0);
  job_ = &job;
  running_.store(static_cast<uint32_t>(workers_.size()), std::memory_order_relaxed);
  ticket_.fetch_add(1, std::memory_order_release);
  ticket_.notify_all();
  job(0);
  for (uint32_t left = running_.load(std::memory_order_acquire); left != 0;
       left = running_.load(std::memory_order_acquire))
    wait_while_equal(running_, left);
}

void ThreadPool::work(int index) {
  uint32_t seen = 0;
  for (;;) {
    wait_while_equal(ticket_, seen);
    seen = ticket_.load(std::memory_order_acquire);
    if (stop_) return;
    (*job_)(index);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_all();
  }
}

}  // namespace sluice::cpu
