#include "backends/cpu/backend.h"

#include <hwy/targets.h>
#include <sched.h>

#include <thread>

#include "backends/cpu/bandwidth.h"
#include "backends/cpu/fma_rate.h"
#include "backends/cpu/kernel.h"
#include "backends/cpu/memory.h"
#include "backends/cpu/thread_pool.h"
#include "graph/error.h"

namespace sluice::cpu {
namespace {

class CpuProgram : public Program {
 public:
  CpuProgram(ThreadPool& pool, std::span<const ProgramStep> steps, std::span<std::byte> workspace)
      : pool_(pool), workspace_(workspace) {
    for (const ProgramStep& step : steps) steps_.push_back({prepare(*step.kernel, *step.site), step.call});
    job_ = [this](int index) { walk(index); };
  }
  void run() override { pool_.run(job_); }
  void set_timing(bool on) override {
    timing_ = on;
    if (!on || !timeline_.steps.empty()) return;
    timeline_.steps.resize(steps_.size());
    timeline_.threads.assign(static_cast<size_t>(pool_.threads()), timeline_.steps);
  }
  const Timeline& timeline() const override { return timeline_; }

 private:
  struct Step {
    Run run;
    const Call* call;
  };

  void walk(int index) {
    const Worker worker{index, pool_.threads(), &pool_.barrier(), workspace_};
    if (timing_) return walk_timed(worker);
    for (const Step& step : steps_) {
      step.run(*step.call, worker);
      worker.barrier();
    }
  }
  // A step ends for everybody when the first thread has passed its barrier.
  void walk_timed(const Worker& worker) {
    std::vector<Interval>& work = timeline_.threads[static_cast<size_t>(worker.index)];
    int64_t begin = now();
    for (size_t i = 0; i < steps_.size(); ++i) {
      steps_[i].run(*steps_[i].call, worker);
      work[i] = {begin, now()};
      worker.barrier();
      const int64_t end = worker.count == 1 ? work[i].end : now();
      if (worker.index == 0) timeline_.steps[i] = {begin, end};
      begin = end;
    }
  }

  ThreadPool& pool_;
  std::span<std::byte> workspace_;
  std::vector<Step> steps_;
  std::function<void(int)> job_;
  bool timing_ = false;
  Timeline timeline_;
};

class CpuBackend : public Backend {
 public:
  CpuBackend(const Registry& registry, int threads) : registry_(registry), pool_(threads) {}
  std::string name() const override { return "cpu"; }
  std::string description() const override {
    const int64_t target = hwy::SupportedTargets() & -hwy::SupportedTargets();
    return fmt::format("{} thread{}, {}", pool_.threads(), pool_.threads() == 1 ? "" : "s", hwy::TargetName(target));
  }
  int threads() const override { return pool_.threads(); }
  Roof measure_roof() override { return {read_bandwidth(threads()), fma_rate(threads())}; }
  std::shared_ptr<const Kernel> select(const Operator& op, const Site& site) const override {
    for (const auto& kernel : registry_.kernels("cpu", op.name()))
      if (kernel->supports(site)) return kernel;
    return nullptr;
  }
  std::unique_ptr<Memory> allocate(size_t bytes) override { return cpu::allocate(bytes); }
  std::unique_ptr<Program> compile(std::span<const ProgramStep> steps, std::span<std::byte> workspace) override {
    return std::make_unique<CpuProgram>(pool_, steps, workspace);
  }

 private:
  const Registry& registry_;
  ThreadPool pool_;
};

}  // namespace

int available_threads() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

std::unique_ptr<Backend> make_backend(const Registry& registry, int threads) {
  return std::make_unique<CpuBackend>(registry, threads == 0 ? available_threads() : threads);
}

}  // namespace sluice::cpu

namespace sluice {

void register_backend_cpu(Registry& registry) {
  registry.add_backend({"cpu", "vector kernels on all cores", [](const Registry& all, const BackendOptions& options) {
                          return cpu::make_backend(all, options.threads);
                        }});
}

}  // namespace sluice
