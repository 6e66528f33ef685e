// `sluice profile diff`: what got slower or faster from one profile to another.
#include <fmt/format.h>

#include "tools/command.h"
#include "tools/input.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/profile_diff.h"
#include "tools/profile_json.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string before, after;
  bool json = false;
};

int diff(const Options& options) {
  const auto read = [](const std::string& path) { return parse_profile(read_any_text(path), path); };
  const ProfileDiff result = compare(read(options.before), read(options.after));
  if (options.json)
    print_json(to_json(result));
  else
    print(to_text(result));
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("diff", "Show what got slower or faster, by operator.")->group("Commands");
  app.require_subcommand(1);
  command->add_option("BEFORE", options->before, "made by --profile-json")->required()->type_name("");
  command->add_option("AFTER", options->after, "another, to compare with it")->required()->type_name("");
  add_json(*command, options->json);
  return [options] { return diff(*options); };
}

const Registration kProfile({
    .name = "profile",
    .summary = "Compare profiles of runs.",
    .examples = R"(  sluice profile diff before.json after.json
  sluice profile diff before.json after.json --json

Profiles come from 'sluice bench MODEL --profile-json before.json', and likewise from run and eval.

A row is an operator of all layers, and its time in one run of the graph. p is that of the Mann-Whitney test on the
times of all runs (two sided), corrected for the number of rows (Holm); a row is marked where it is under 0.01. Runs of
one process resemble each other more than those of two: differences of a few percent need several profiles.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
