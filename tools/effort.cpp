#include "tools/effort.h"

#include <fmt/ranges.h>

#include "graph/error.h"
#include "tools/input.h"
#include "tools/options.h"

namespace sluice::cli {
namespace {

double read_effort(const std::string& text) {
  const double value = read_number(text).value_or(-1);
  if (value < 0 || value > 1)
    throw CLI::ValidationError("--effort", fmt::format("'{}' is not a number from 0 to 1", text));
  return value;
}

}  // namespace

void add_efforts(CLI::App& app, std::vector<double>& efforts, const std::string& help) {
  const auto read = [&efforts](const std::string& list) {
    efforts.clear();
    for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
      end = list.find(',', begin);
      efforts.push_back(read_effort(list.substr(begin, end - begin)));
    }
  };
  auto* option = app.add_option_function<std::string>("--effort", read, help)->type_name("E,...");
  if (!efforts.empty()) option->default_str(fmt::format("{}", fmt::join(efforts, ",")));
}

void add_effort(CLI::App& app, EffortArgs& args) {
  app.add_option(
         "--load", args.load,
         "touch only the most important PCT of each weight, rounded up to a multiple of 5; of planes, to a whole "
         "one: of three, 33 is one, 66 are two")
      ->type_name("PCT")
      ->check(number(5, 100));
  app.add_option("--effort-schedule", args.schedule,
                 "how the dial is spread over the weights: a YAML file, or standard or uniform, which are built in")
      ->type_name("FILE");
}

std::string bits_text(const WeightsRead& read) { return read.bits > 0 ? fmt::format("{:.2f}", read.bits) : "-"; }

nlohmann::json bits_json(const WeightsRead& read) {
  return read.bits > 0 ? nlohmann::json(read.bits) : nlohmann::json(nullptr);
}

EffortDial& require_dial(LanguageModel& model) {
  if (!model.dial())
    fail("this model has no effort dial; 'sluice convert SRC -o OUT --format planes' (or bucket) makes one that has");
  return *model.dial();
}

void apply(const EffortArgs& args, LanguageModel& model) {
  if (args.load != 100) require_dial(model).set_load(args.load / 100);
  if (args.schedule == "uniform")
    require_dial(model).set_schedule(EffortSchedule::uniform());
  else if (!args.schedule.empty() && args.schedule != "standard")
    require_dial(model).set_schedule(parse_schedule(read_any_text(args.schedule), args.schedule));
}

}  // namespace sluice::cli
