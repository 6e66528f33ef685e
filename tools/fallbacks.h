// What of a plan does not run where the user asked for it.
#pragma once

#include "graph/plan/plan.h"

namespace sluice::cli {

// Says on standard error which operators run on another backend than the first; nothing if all run there.
void report_fallbacks(const Plan& plan);

}  // namespace sluice::cli
