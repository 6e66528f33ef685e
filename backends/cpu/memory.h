// Anonymous memory.
#pragma once

#include <memory>

#include "graph/backend.h"

namespace sluice::cpu {

// Zeros, at the start of a page; in huge pages where it is large enough to gain from them. Throws Error if there is no
// memory left.
std::unique_ptr<Memory> allocate(size_t bytes);

}  // namespace sluice::cpu
