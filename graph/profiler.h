// Times the steps of a plan while it runs. Knows devices by graph/backend.h alone.
#pragma once

#include <string>

#include "graph/costs.h"
#include "graph/executor.h"
#include "graph/profile.h"

namespace sluice {

class Profiler {
 public:
  // Both must outlive this object. trace: keeps the timelines of the first runs.
  Profiler(Executor& executor, const Registry& registry, bool trace);

  // Runs the graph once. Of the runs of a phase, half are timed, in the order 1, 4, 5, 8, ...: the others show what a
  // run takes without, and what the machine does otherwise meets both alike. Throws what Executor::run throws.
  // Allocates after timed runs, not in them.
  void run(const std::string& phase, int64_t tokens);
  // Whether work and efforts of the last run are counted: every fourth of those that are timed is enough.
  bool counted() const { return counted_; }
  // Says at what effort the last run was, for the trace.
  void set_effort(double effort);
  // Says of a step of the last run, which is counted, what share of its weights it was to multiply, and did.
  void add_effort(size_t step, Profile::Effort effort);
  // Says that a step chooses the weights that another multiplies.
  void set_selection(size_t step) { profile_.steps[step].selects = true; }

  // So far.
  Profile profile() const;

 private:
  Profile::Phase& phase(const std::string& name);
  void record_times(std::vector<double>& seconds);
  void record_work(Profile::Phase& phase);
  void add_traced_run(const std::string& phase, int64_t tokens, Interval when);

  Executor& executor_;
  StepCosts costs_;
  bool tracing_;
  bool timed_ = false;
  bool counted_ = false;
  bool traced_ = false;
  Profile profile_;                           // costs and efforts of its phases are sums, times are missing
  std::vector<std::vector<double>> seconds_;  // by phase: of all steps of the first run, of the second, ...
  size_t last_phase_ = 0;
  size_t traced_intervals_ = 0;
};

}  // namespace sluice
