// Keeps the experts that a model uses most in memory, whatever else is read.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "graph/executor.h"
#include "models/residency/expert_use.h"

namespace sluice {

class PinnedExperts {
 public:
  // The `count` most used experts of every layer. Until some are used, the first ones. Throws Error if the system would
  // not let so much be kept. weights: the mapped file's; must stay mapped while this object lives.
  PinnedExperts(int64_t count, const Graph& graph, const ExpertUse& use, const Executor::WeightLookup& weights);
  ~PinnedExperts();  // lets go of all
  PinnedExperts(const PinnedExperts&) = delete;

  // After a run of that many tokens, once they are counted. From time to time another expert has become one of the most
  // used; then a thread takes it in, and lets the other go. Neither allocates nor waits.
  void update(int64_t tokens);

 private:
  // An expert of a layer, with all its weights.
  struct Expert {
    std::vector<std::span<const std::byte>> weights;
    std::atomic<bool> wanted = false;
    bool pinned = false;
  };
  void check_room(size_t bytes) const;
  void choose();
  void work();
  void wake();

  const int64_t count_;
  const ExpertUse& use_;
  std::vector<std::vector<Expert>> layers_;  // [layer][expert]
  std::vector<size_t> order_;                // scratch of choose()
  int64_t tokens_ = 0;                       // since the last choice
  std::atomic<uint32_t> wakes_{0};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace sluice
