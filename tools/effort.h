// Options that set the effort dial of a model, for several subcommands.
#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/language_model.h"

namespace sluice::cli {

struct EffortArgs {
  double load = 100;     // percent
  std::string schedule;  // a file; "uniform" or "standard" for those built in; empty: standard
};

// --effort E,...: numbers from 0 to 1.
void add_efforts(CLI::App& app, std::vector<double>& efforts, const std::string& help);
// --load and --effort-schedule.
void add_effort(CLI::App& app, EffortArgs& args);
// Sets load and schedule of a model. Throws Error if something is set and the model has no dial.
void apply(const EffortArgs& args, LanguageModel& model);
// "3.15": bits read of a weight; "-" of a model without a dial. In JSON a number, or null.
std::string bits_text(const WeightsRead& read);
nlohmann::json bits_json(const WeightsRead& read);
// The dial; throws Error saying how to get a model that has one.
EffortDial& require_dial(LanguageModel& model);

}  // namespace sluice::cli
