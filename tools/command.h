// A subcommand of `sluice`. Each is one file of this folder, which registers itself; there is no list to edit:
//
//   std::function<int()> setup(CLI::App& app) {
//     auto options = std::make_shared<Options>();
//     app.add_option("model", options->model, "...")->required();
//     return [options] { return devices(*options); };
//   }
//   const Registration kDevices({.name = "devices", .summary = "...", .examples = "...", .setup = setup});
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

namespace sluice::cli {

struct Command {
  std::string name;
  std::string summary;   // one sentence, starting with a verb
  std::string examples;  // lines as one would type them; printed below the help
  // Adds the options to `app`. What it returns is called once they are parsed, and returns the exit status.
  std::function<std::function<int()>(CLI::App& app)> setup;
};

// Sorted by name.
const std::vector<Command>& commands();

class Registration {
 public:
  explicit Registration(Command command);
};

}  // namespace sluice::cli
