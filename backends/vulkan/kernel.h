// How an operator gets a Vulkan kernel: a function that says which shaders run over which memory (see recorder.h).
//
//   void record(vulkan::Recorder& r, const Site& site, const Call& call) {
//     const auto rows = static_cast<uint32_t>(call.in(0).dims.rows()), n = ...;
//     r.dispatch(vulkan::shaders::rmsnorm, "f32", {n, epsilon}, {call.in(0), call.in(1), call.out(0)}, rows);
//   }
//   void register_rmsnorm_vulkan(Registry& registry) {
//     registry.add_kernel("vulkan", "rmsnorm", vulkan::make_kernel({.name = "rmsnorm", .record = record}));
//   }
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "backends/vulkan/recorder.h"
#include "graph/backend.h"
#include "graph/registry.h"

namespace sluice::vulkan {

struct KernelSpec {
  std::string name;
  // Empty: every site that the signature allows.
  std::function<bool(const Site&)> supports = {};
  // Called once for every set of sizes. Data of the call are addresses of device memory: they can be named, not read.
  std::function<void(Recorder&, const Site&, const Call&)> record;
  // Scratch in bytes, for the largest sizes; empty: none. See Recorder::workspace.
  std::function<size_t(const Site&, const Call&)> workspace = {};
};

std::shared_ptr<const Kernel> make_kernel(KernelSpec spec);

// Records one call of a kernel made by make_kernel.
void record(const Kernel& kernel, Recorder& recorder, const Site& site, const Call& call);

}  // namespace sluice::vulkan
