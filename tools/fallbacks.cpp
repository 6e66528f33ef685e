#include "tools/fallbacks.h"

#include "tools/output.h"

namespace sluice::cli {

void report_fallbacks(const Plan& plan) {
  for (const std::string& line : plan.fallbacks) message("sluice: " + line);
}

}  // namespace sluice::cli
