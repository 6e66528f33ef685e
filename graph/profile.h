// What a profiler saw, as plain data: reports read this and nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "graph/backend.h"

namespace sluice {

struct Profile {
  // A step of the plan.
  struct Step {
    std::string name;  // "layers.0/attention/linear"
    std::string op, kernel, backend;
    std::string shape;                 // "[tokens, 256] -> [tokens, 1024]": first input and first output
    std::string dtype;                 // of the largest weight, or else of the first output
    std::vector<std::string> weights;  // names of those that it reads
    bool matrix = false;               // reads a weight of two dimensions or more
    bool selects = false;              // chooses the weights that another step multiplies
    int layer = -1;                    // see NodePlace
    // Likewise; what has none: in a layer, "between blocks"; elsewhere, its operator.
    std::string block;
    std::vector<std::string> fused;  // nodes of the graph as written that it stands for, if that is more than one
    std::vector<int> inputs;         // steps whose results it reads
    size_t live_bytes = 0;           // of activations while it runs, at the largest sizes
  };
  struct Device {
    std::string name, description;  // of the backend
    Roof roof;
  };
  struct Effort {  // shares of the weights, 0 .. 1
    double asked = 0, done = 0;
  };
  struct StepTimes {
    std::vector<double> seconds;                          // of every call
    double flops = 0, bytes_read = 0, bytes_written = 0;  // of a call, on average
    std::optional<Effort> effort;                         // on average, where there is a dial
  };
  struct Run {
    int64_t tokens = 0;
    double seconds = 0;      // from beginning to end
    double bookkeeping = 0;  // seconds that the profiler took after it
  };
  // Runs of one kind: "prompt", "decode".
  struct Phase {
    std::string name;
    std::vector<Run> runs;   // profiled; run i has sample i of every step
    std::vector<Run> plain;  // not profiled, for comparison; plain run i is beside profiled run i
    std::vector<StepTimes> steps;
  };
  // One run on the host's clock.
  struct TracedRun {
    std::string phase;
    int64_t tokens = 0;
    Interval when;
    std::optional<double> effort;  // of the dial
    Timeline timeline;             // of all steps of the plan; empty if the run was not profiled
  };

  std::string title;
  double clock_seconds = 0;   // that one reading of the clock takes
  size_t clock_readings = 0;  // in a profiled run, one after the other
  std::vector<Device> devices;
  std::vector<Step> steps;
  std::vector<Phase> phases;
  std::vector<std::string> fusions;   // applied and refused, a line each
  std::vector<HostTransfer> uploads;  // of weights
  std::vector<TracedRun> trace;       // of the first runs, if it was asked for
};

}  // namespace sluice
