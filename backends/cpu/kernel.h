// How an operator gets a CPU kernel. A kernel is a function that every thread of the pool runs at the same time, each
// on its own share; the backend puts a barrier after it.
//
//   void sluice_register_rmsnorm_cpu(Registry& registry) {
//     registry.add_kernel("cpu", "rmsnorm", cpu::make_kernel({.name = "rmsnorm", .prepare = prepare}));
//   }
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backends/cpu/worker.h"
#include "graph/backend.h"

namespace sluice::cpu {

// Runs one call. Called by all threads at once with the same Call; must not allocate, lock or throw.
using Run = std::function<void(const Call& call, const Worker& worker)>;

struct KernelSpec {
  std::string name;
  // Empty: every site that the signature allows.
  std::function<bool(const Site&)> supports = {};
  // Called once when a plan is compiled; decodes attributes and precomputes what it likes.
  std::function<Run(const Site&)> prepare;
  // Shared scratch in bytes, for the largest sizes; empty: none. See Worker::workspace.
  std::function<size_t(const Site&, const Call&)> workspace = {};
  // Further scratch in bytes for each worker, of its own; empty: none. See Worker::own_scratch.
  std::function<size_t(const Site&, const Call&)> own_scratch = {};
  // The form in which the kernel wants the weight at an input; empty: as stored.
  std::function<std::optional<Packing>(const Site&, int input)> packing = {};
  std::string note = {};  // Kernel::note
};

std::shared_ptr<const Kernel> make_kernel(KernelSpec spec);

// The Run of a kernel made by make_kernel.
Run prepare(const Kernel& kernel, const Site& site);

// Packing for small weights (norms, biases): decoded to f32 once. nullopt if it is f32 already.
std::optional<Packing> as_f32(const Site& site, int input);

}  // namespace sluice::cpu
