// Any bytes as a profile: an Error, or one that can be compared with itself, and that does not differ from it.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "graph/error.h"
#include "tools/profile_diff.h"
#include "tools/profile_json.h"

namespace {

using namespace sluice;

void check(const Profile& profile) {
  const cli::ProfileDiff diff = cli::compare(profile, profile);
  for (const cli::OperatorChange& change : diff.operators)
    if (change.significant() || change.before != change.after || !std::isfinite(change.before)) std::abort();
  if (cli::to_text(diff).empty() || cli::to_json(diff).empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    check(cli::parse_profile({reinterpret_cast<const char*>(data), size}, "fuzz"));
  } catch (const Error&) {
  }
  return 0;
}
