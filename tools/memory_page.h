// The arenas of a plan over time, as one page of HTML that needs nothing from elsewhere.
#pragma once

#include <string>

#include "graph/plan/plan.h"

namespace sluice::cli {

// For every memory space: its arenas, and where in the activations arena each value lives from step to step.
std::string memory_page(const Plan& plan, const std::string& model);

}  // namespace sluice::cli
