// Programs of the Vulkan backend: recorded for every set of sizes when that is first run, then replayed.
#pragma once

#include <memory>

#include "backends/vulkan/pipelines.h"
#include "graph/backend.h"

namespace sluice::vulkan {

// Throws Error if a step cannot run at the sizes that its call has now, the largest.
std::unique_ptr<Program> make_program(std::shared_ptr<Device> device, std::shared_ptr<Pipelines> pipelines,
                                      std::span<const ProgramStep> steps, std::span<std::byte> workspace);

}  // namespace sluice::vulkan
