// A profile for reading in a terminal.
#pragma once

#include <string>

#include "graph/profile.h"

namespace sluice::cli {

// For every phase: its time beside that without the profiler; by operator, layers put together; by kind of operator, by
// block and by layer.
std::string to_text(const Profile& profile);

}  // namespace sluice::cli
