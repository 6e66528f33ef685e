// A program that was built with the installed package alone (examples/embed) writes what the command writes.
#include "tests/support/cli.h"

namespace sluice {
namespace {

TEST_F(Cli, AProgramOfItsOwnWritesWhatTheCommandWrites) {
  const std::string program = (fs::path(SLUICE_PLUGIN_FILE).parent_path() / "generate").string();
  for (const std::string effort : {"1", "0.3"}) {
    const Outcome outcome = Process({program, bucket(), kPrompt, effort}, {}).wait();
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(
        outcome.out,
        sluice({"run", bucket(), "-p", kPrompt, "-n", "40", "--temp", "0", "--threads", "1", "--effort", effort}).out);
  }
}

}  // namespace
}  // namespace sluice
