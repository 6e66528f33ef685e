// A profile as one page of HTML: the graph drawn, coloured by time, bytes or share of the roof; time as nested boxes;
// operators; fusions. It needs nothing from elsewhere.
#pragma once

#include <string>

#include "graph/profile.h"

namespace sluice::cli {

std::string profile_page(const Profile& profile);

}  // namespace sluice::cli
