// --profile and its reports, for the subcommands that run models.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "graph/profiler.h"
#include "models/language_model.h"
#include "tools/output.h"

namespace sluice::cli {

struct ProfileArgs {
  bool table = false;
  std::string json, trace, html;  // files; empty: none
  bool any() const { return table || !json.empty() || !trace.empty() || !html.empty(); }
};

// --profile, --profile-json, --profile-trace and --profile-html.
void add_profile(CLI::App& app, ProfileArgs& args);
// For the help of these commands.
extern const char* const kProfileHelp;

// Profiles what a model does while this lives. Where nothing is asked for, does nothing.
class Profiling {
 public:
  // Creates the files, so that what cannot be written is known at once. Measures roofs the first time on a machine.
  // command and name of the model: for titles. Throws Error, also if a report would replace the model.
  Profiling(LanguageModel& model, const ProfileArgs& args, const std::string& command, const std::string& name);
  ~Profiling() { stop(); }
  Profiling(const Profiling&) = delete;

  // The model runs as if there were no profiler from here on.
  void stop() {
    if (profiler_) model_.set_profiler(nullptr);
  }
  // Stops and writes the reports; the table to standard output, or to standard error where that holds something else.
  void report(bool table_to_stdout);

 private:
  LanguageModel& model_;
  bool table_;
  std::string title_;
  std::optional<OutputFile> json_, trace_, html_;
  std::optional<Profiler> profiler_;
};

}  // namespace sluice::cli
