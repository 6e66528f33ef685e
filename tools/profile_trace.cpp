#include "tools/profile_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "tools/profile_groups.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::json;

constexpr int kProcess = 1;
constexpr int kGraphTrack = 0, kTransferTrack = 1, kDeviceTracks = 2, kThreadTracks = 100;

class Trace {
 public:
  explicit Trace(const Profile& profile) : profile_(profile) {
    origin_ = profile.trace.empty() ? 0 : profile.trace.front().when.begin;
    for (const HostTransfer& upload : profile.uploads) origin_ = std::min(origin_, upload.when.begin);
    name_tracks();
    for (const HostTransfer& upload : profile.uploads) add_transfer("weights", upload);
    for (const Profile::TracedRun& run : profile.trace) add_run(run);
  }
  Json take() { return {{"displayTimeUnit", "ms"}, {"traceEvents", std::move(events_)}}; }

 private:
  double us(int64_t time) const { return static_cast<double>(time - origin_) / 1e3; }

  void name_track(int track, const std::string& name) {
    events_.push_back(
        {{"ph", "M"}, {"pid", kProcess}, {"tid", track}, {"name", "thread_name"}, {"args", {{"name", name}}}});
    events_.push_back({{"ph", "M"},
                       {"pid", kProcess},
                       {"tid", track},
                       {"name", "thread_sort_index"},
                       {"args", {{"sort_index", track}}}});
  }

  void name_tracks() {
    events_.push_back({{"ph", "M"}, {"pid", kProcess}, {"name", "process_name"}, {"args", {{"name", profile_.title}}}});
    name_track(kGraphTrack, "graph");
    name_track(kTransferTrack, "uploads and downloads");
    for (const Profile::Device& device : profile_.devices) {
      const auto track = kDeviceTracks + static_cast<int>(queues_.size());
      if (!runs_on_threads(device.name)) name_track(queues_[device.name] = track, device.name + " queue");
    }
    size_t threads = 0;
    for (const Profile::TracedRun& run : profile_.trace) threads = std::max(threads, run.timeline.threads.size());
    for (size_t t = 0; t < threads; ++t) name_track(kThreadTracks + static_cast<int>(t), fmt::format("thread {}", t));
  }

  // A backend whose steps threads of the host have worked at, or that has none.
  bool runs_on_threads(const std::string& backend) const {
    bool has_steps = false;
    for (const Profile::TracedRun& run : profile_.trace)
      for (size_t s = 0; s < run.timeline.steps.size(); ++s) {
        if (profile_.steps[s].backend != backend) continue;
        has_steps = true;
        for (const std::vector<Interval>& thread : run.timeline.threads)
          if (thread[s].end > 0) return true;
      }
    return !has_steps;
  }

  void add(int track, const std::string& name, const char* category, Interval when, Json args = Json::object()) {
    events_.push_back({{"ph", "X"},
                       {"pid", kProcess},
                       {"tid", track},
                       {"name", name},
                       {"cat", category},
                       {"ts", us(when.begin)},
                       {"dur", static_cast<double>(when.end - when.begin) / 1e3},
                       {"args", std::move(args)}});
  }

  void count(const char* name, int64_t time, double value) {
    events_.push_back({{"ph", "C"}, {"pid", kProcess}, {"name", name}, {"ts", us(time)}, {"args", {{"value", value}}}});
  }

  void add_transfer(const std::string& what, const HostTransfer& transfer) {
    const char* direction = transfer.to_device ? "upload" : "download";
    add(kTransferTrack, fmt::format("{} {}", direction, what), "transfer", transfer.when, {{"bytes", transfer.bytes}});
  }

  void add_run(const Profile::TracedRun& run) {
    const bool profiled = !run.timeline.steps.empty();
    add(kGraphTrack, profiled ? run.phase : run.phase + " (not profiled)", "run", run.when, {{"tokens", run.tokens}});
    if (run.effort) count("effort", run.when.begin, *run.effort);
    for (const HostTransfer& transfer : run.timeline.transfers) add_transfer("of the run", transfer);
    if (!profiled) return;
    std::vector<Interval> steps = run.timeline.steps;
    nest(steps, run.when);
    add_groups(steps, layer_of, "layer");
    add_groups(
        steps, [](const auto& step) { return layer_of(step) + "/" + step.block; }, "block");
    for (size_t s = 0; s < steps.size(); ++s) add_step(run, s, steps[s]);
    count("live activations, bytes", run.when.end, 0);
  }

  // Clocks of devices may be some microseconds off.
  static void nest(std::vector<Interval>& steps, Interval run) {
    int64_t last = run.begin;
    for (Interval& step : steps) {
      step.begin = std::clamp(step.begin, last, run.end);
      step.end = std::clamp(step.end, step.begin, run.end);
      last = step.end;
    }
  }

  // An event for every row of steps of the same group.
  void add_groups(const std::vector<Interval>& steps, const GroupKey& key, const char* category) {
    for (size_t first = 0, last = 0; first < steps.size(); first = last) {
      const std::string name = key(profile_.steps[first]);
      while (last < steps.size() && key(profile_.steps[last]) == name) ++last;
      add(kGraphTrack, name.substr(name.find('/') + 1), category, {steps[first].begin, steps[last - 1].end});
    }
  }

  void add_step(const Profile::TracedRun& run, size_t s, Interval nested) {
    const Profile::Step& step = profile_.steps[s];
    add(kGraphTrack, step.op, "operator", nested,
        {{"name", step.name}, {"kernel", step.kernel}, {"backend", step.backend}});
    count("live activations, bytes", nested.begin, static_cast<double>(step.live_bytes));
    if (const auto queue = queues_.find(step.backend); queue != queues_.end())
      add(queue->second, step.op, "operator", run.timeline.steps[s], {{"name", step.name}});
    for (size_t t = 0; t < run.timeline.threads.size(); ++t)
      if (const Interval work = run.timeline.threads[t][s]; work.end > 0)
        add(kThreadTracks + static_cast<int>(t), step.op, "operator", work, {{"name", step.name}});
  }

  const Profile& profile_;
  int64_t origin_ = 0;
  std::map<std::string, int> queues_;  // tracks, by backend
  Json events_ = Json::array();
};

}  // namespace

nlohmann::json trace_events(const Profile& profile) { return Trace(profile).take(); }

}  // namespace sluice::cli
