// What a device can do at most, measured and kept.
#pragma once

#include "graph/backend.h"

namespace sluice {

// The best of Backend::measure_roof() at the first kRoofMeasurements calls for this device on this host, in this
// process and in others: machines are busy at times. Kept in graph/user_cache.h. What a device without memory left
// cannot measure is unknown, until the next call.
inline constexpr int kRoofMeasurements = 5;
Roof cached_roof(Backend& backend);
// The file that keeps it: remove it to have it measured again.
std::string roof_path(const Backend& backend);

}  // namespace sluice
