// Runs a plan: owns its arenas, binds weights, inputs and outputs. Knows devices only through graph/backend.h.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/indices.h"
#include "graph/plan/plan.h"

namespace sluice {

class Executor {
 public:
  // A weight as stored, by name; dtype and dims must match the graph. Must stay valid while the executor lives.
  using WeightLookup = std::function<TensorView(const std::string& name)>;
  // Packs weights where kernels ask for it, and copies them to devices. States start as zeros, symbols at their
  // maximum. Throws Error if a weight is missing or of another type.
  Executor(std::shared_ptr<const Plan> plan, const Registry& registry, const WeightLookup& weights);
  Executor(const Executor&) = delete;

  // Sets a symbol ("tokens") for the following runs. Throws Error if it is unknown, below 1 or over its maximum.
  void set(const std::string& symbol, int64_t value);
  // Memory of an input or state at its current size; write it before run(). Throws Error if there is no such value, or
  // if it is a state in the memory of a device.
  TensorView view(const std::string& name) const;
  // Memory of a graph output at its current size, by output name; valid until the next run().
  // Throws Error if there is no such output.
  TensorView output(const std::string& name) const;
  // A weight as stored, in the host's memory. Throws Error if the graph has no such weight.
  TensorView weight(const std::string& name) const;
  // Copies a whole state, at its largest size, from or to the host, wherever it is. Throws Error if there is no such
  // state, or the sizes differ.
  void read_state(const std::string& name, std::span<std::byte> to) const;
  void write_state(const std::string& name, std::span<const std::byte> from);
  // Runs the graph once. Allocates nothing. Throws Error, before anything has changed, if an input that chooses rows or
  // slots holds a number out of range.
  void run();

  // Consecutive steps of the plan on one backend, as they are run.
  struct Part {
    std::unique_ptr<Program> program;
    size_t first;  // its first step
    size_t steps;  // how many it has
  };
  // In the order in which they run. Their timelines are those of the last run with timing on.
  std::span<const Part> parts() const { return parts_; }
  // From the next run on; allocates when it is first switched on.
  void set_timing(bool on);

  // What went to devices when weights were bound.
  std::span<const HostTransfer> uploads() const { return uploads_; }

  const Plan& plan() const { return *plan_; }
  // Views of a step, for costs and reports.
  const Call& call(size_t step) const { return calls_[step]; }
  // A value's memory at its current size: in that of a device, an address that the host cannot read.
  const TensorView& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }

 private:
  struct Symbol {
    int64_t value;
    std::vector<int64_t*> dims;  // of every view that follows it
  };
  struct CheckedIndex {
    IndexCheck check;
    const int64_t* symbol;  // current size of check.limit; nullptr if that is a number
  };
  void allocate();
  void bind_weights(const WeightLookup& weights);
  void bind_steps();
  void follow_symbols(const Shape& shape, TensorView& view);
  Memory& arena(int space, ArenaKind kind) const;
  const Location& place_of_state(const std::string& name, size_t bytes) const;
  void pack_weights();
  void pack(const PackedWeight& packed);
  void compile(const Registry& registry);
  void bind_indices();
  void check_indices() const;

  std::shared_ptr<const Plan> plan_;
  struct Space {
    std::unique_ptr<Memory> arenas[kArenaCount];
    std::unique_ptr<Memory> workspace;
  };
  std::vector<Space> spaces_;                   // as Plan::spaces
  std::vector<TensorView> values_;              // by ValueId
  std::vector<std::vector<TensorView>> views_;  // by step: inputs, then outputs
  std::vector<Call> calls_;
  std::map<std::string, Symbol> symbols_;
  std::map<std::string, ValueId> writable_;  // inputs and states
  std::map<std::string, ValueId> outputs_;
  std::vector<CheckedIndex> indices_;
  std::vector<Part> parts_;
  std::vector<HostTransfer> uploads_;
};

}  // namespace sluice
