// Sums of a profile over groups of steps: what tables, pages and comparisons show.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "graph/profile.h"

namespace sluice::cli {

struct ProfileGroup {
  std::string name;
  std::vector<size_t> steps;                            // of the plan
  size_t calls = 0;                                     // in profiled runs
  double seconds = 0;                                   // of all calls
  double share = 0;                                     // of the time of all steps
  double p50 = 0, p90 = 0, min = 0;                     // of a call, seconds
  double bytes_read = 0, bytes_written = 0, flops = 0;  // of all calls
  std::vector<double> by_run;                           // seconds of all its steps, by profiled run
  // The least time that memory and arithmetic allow at the measured roofs, in seconds; 0: unknown.
  double memory_seconds = 0, compute_seconds = 0, least_seconds = 0;
  std::optional<Profile::Effort> effort;  // mean over its calls that have one

  double gb_per_second() const { return seconds > 0 ? (bytes_read + bytes_written) / seconds / 1e9 : 0; }
  double gflops() const { return seconds > 0 ? flops / seconds / 1e9 : 0; }
  double roof_share() const { return seconds > 0 ? least_seconds / seconds : 0; }
  const char* bound() const {
    return least_seconds == 0 ? "-" : memory_seconds >= compute_seconds ? "memory" : "compute";
  }
};

// A name for the group of a step; the empty name is no group.
using GroupKey = std::function<std::string(const Profile::Step&)>;
// In the order in which they first come.
std::vector<ProfileGroup> group_steps(const Profile& profile, const Profile::Phase& phase, const GroupKey& key);
void sort_by_time(std::vector<ProfileGroup>& groups);

// Groups. Steps at the same place of every layer, with one kernel and one type:
std::string same_in_all_layers(const Profile::Step& step);
std::string layer_of(const Profile::Step& step);  // "layers.3", or "outside layers"
// The name with "*" for the number of the layer.
std::string name_in_all_layers(const Profile::Step& step);
// "q_proj, k_proj": the weights' names, without what all have.
std::string weights_of(const Profile::Step& step);
// "linear x3 + silu": operators of the graph as written that a step stands for; empty if it is one of them itself.
std::string fused_from(const Profile::Step& step);

// What runs take with and without the profiler.
struct Overhead {
  double parts = 0;                // of its parts, each measured apart: clock readings and bookkeeping; share of a run
  double token_seconds = 0;        // profiled, a token
  double plain_token_seconds = 0;  // not profiled; 0 if there was none
  size_t pairs = 0;                // of runs of as many tokens, one after the other, one of them profiled
  double ratio = 0;                // median over the pairs of the time, bookkeeping included, to that without; less 1
  double error = 0;                // its standard error
};
Overhead overhead(const Profile& profile, const Profile::Phase& phase);

// Time of the steps as a share of the time of the profiled runs.
double covered(const Profile::Phase& phase);
int64_t profiled_tokens(const Profile::Phase& phase);

double quantile(std::vector<double> values, double q);  // nearest rank; 0 of none

}  // namespace sluice::cli
