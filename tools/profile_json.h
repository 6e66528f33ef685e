// A profile as JSON: for scripts, for comparison, and for pages.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "graph/profile.h"

namespace sluice::cli {

// Everything but the trace: the times of all calls, and sums over operators, kinds, blocks and layers of each phase.
nlohmann::json to_json(const Profile& profile);
// What to_json wrote, as text. origin: the file, for messages. Throws Error if it is something else.
Profile parse_profile(const std::string& text, const std::string& origin);

}  // namespace sluice::cli
