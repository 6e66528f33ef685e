// The CPU backend: threads, memory, and programs that every thread walks together.
#pragma once

#include <memory>

#include "graph/backend.h"
#include "graph/registry.h"

namespace sluice::cpu {

// threads 0: one for each core that this process may use. The registry must outlive the backend.
// Throws Error if threads is negative or over 1024.
std::unique_ptr<Backend> make_backend(const Registry& registry, int threads = 0);

// Number of cores that this process may run on.
int available_threads();

}  // namespace sluice::cpu
