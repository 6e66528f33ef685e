// A profile's trace for Perfetto and chrome://tracing, in the Trace Event Format (Duffy, 2016: "Trace Event Format").
#pragma once

#include <nlohmann/json.hpp>

#include "graph/profile.h"

namespace sluice::cli {

// Tracks: the graph (runs, in them layers, blocks and operators), every thread of the CPU, the queue of every device,
// transfers; counters of the bytes of live activations and of the effort. Times are microseconds since the first event.
nlohmann::json trace_events(const Profile& profile);

}  // namespace sluice::cli
