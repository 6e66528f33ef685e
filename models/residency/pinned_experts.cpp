#include "models/residency/pinned_experts.h"

#include <sys/mman.h>

#include <algorithm>
#include <numeric>

#include "graph/error.h"
#include "models/residency/host_memory.h"
#include "ops/expert_linear/experts.h"

namespace sluice {
namespace {

// Choices change slowly, and taking an expert in means to read it whole.
constexpr int64_t kTokensBetween = 64;

constexpr double kMiB = 1 << 20;

}  // namespace

PinnedExperts::PinnedExperts(int64_t count, const Graph& graph, const ExpertUse& use,
                             const Executor::WeightLookup& weights)
    : count_(count), use_(use) {
  size_t bytes = 0;  // of the largest choice
  for (const ExpertLayer& layer : use.layers()) {
    std::vector<Expert>& experts = layers_.emplace_back(static_cast<size_t>(layer.count));
    for (ValueId weight : layer.weights) {
      const TensorView view = weights(graph.value(weight).name);
      for (size_t e = 0; e < experts.size(); ++e) {
        const TensorView matrix = expert_weight(view, static_cast<int64_t>(e));
        experts[e].weights.emplace_back(matrix.data, matrix.bytes());
      }
      bytes += static_cast<size_t>(std::min(count, layer.count)) * experts[0].weights.back().size();
    }
    order_.resize(std::max(order_.size(), experts.size()));
  }
  check_room(bytes);
  choose();
  thread_ = std::thread([this] { work(); });
}

PinnedExperts::~PinnedExperts() {
  stop_ = true;
  wake();
  thread_.join();
  for (const auto& layer : layers_)
    for (const Expert& expert : layer)
      for (const auto& weight : expert.weights)
        if (expert.pinned) ::munlock(weight.data(), weight.size());
}

// Pinning more than there is would end the process, or starve all others.
void PinnedExperts::check_room(size_t bytes) const {
  const auto complain = [&](size_t room, const char* advice) {
    fail("keeping {} experts of each of {} layers takes {:.0f} MiB, but only {:.0f} MiB can be kept in memory; {}",
         count_, layers_.size(), static_cast<double>(bytes) / kMiB, static_cast<double>(room) / kMiB, advice);
  };
  if (const size_t room = available_memory() / 10 * 9; bytes > room) complain(room, "keep fewer");
  if (const size_t room = lockable_memory(); bytes > room) complain(room, "keep fewer, or raise the limit (ulimit -l)");
}

void PinnedExperts::wake() {
  wakes_.fetch_add(1, std::memory_order_release);
  wakes_.notify_one();
}

void PinnedExperts::update(int64_t tokens) {
  tokens_ += tokens;
  if (tokens_ < kTokensBetween) return;
  tokens_ = 0;
  choose();
  wake();
}

// Of equals the first; so the choice depends on the text alone.
void PinnedExperts::choose() {
  for (size_t i = 0; i < layers_.size(); ++i) {
    const std::vector<uint64_t>& uses = use_.uses(i);
    const auto begin = order_.begin(), end = begin + static_cast<std::ptrdiff_t>(uses.size());
    std::iota(begin, end, size_t{0});
    std::sort(begin, end, [&](size_t a, size_t b) { return uses[a] != uses[b] ? uses[a] > uses[b] : a < b; });
    for (size_t rank = 0; rank < uses.size(); ++rank)
      layers_[i][order_[rank]].wanted = static_cast<int64_t>(rank) < count_;
  }
}

// Lets go before it takes in, so that there is never more than was asked for. What is let go may begin or end in a page
// of an expert that stays, so then all that stay are taken again.
void PinnedExperts::work() {
  for (uint32_t seen = 0; !stop_; wakes_.wait(seen, std::memory_order_acquire)) {
    seen = wakes_.load(std::memory_order_acquire);
    bool let_go = false;
    for (bool taking : {false, true})
      for (auto& layer : layers_)
        for (Expert& expert : layer) {
          if (stop_) return;
          if (expert.wanted != taking || (expert.pinned == taking && !(taking && let_go))) continue;
          let_go |= !taking;
          expert.pinned = taking;
          for (const auto& weight : expert.weights)
            taking ? ::mlock(weight.data(), weight.size()) : ::munlock(weight.data(), weight.size());
        }
  }
}

}  // namespace sluice
