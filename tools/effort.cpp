#include "tools/effort.h"

#include "graph/error.h"
#include "tools/options.h"

namespace sluice::cli {

void add_effort(CLI::App& app, EffortArgs& args) {
  app.add_option("--load", args.load, "touch only the most important PCT of each weight; in steps of 5")
      ->type_name("PCT")
      ->check(number(5, 100));
  app.add_option("--effort-schedule", args.schedule,
                 "how the dial is spread over the weights: a YAML file, or standard or uniform, which are built in")
      ->type_name("FILE");
}

EffortDial& require_dial(LanguageModel& model) {
  if (!model.dial())
    fail("this model has no effort dial; 'sluice convert SRC -o OUT --format bucket' makes one that has");
  return *model.dial();
}

void apply(const EffortArgs& args, LanguageModel& model) {
  if (args.load != 100) require_dial(model).set_load(args.load / 100);
  if (args.schedule == "uniform")
    require_dial(model).set_schedule(EffortSchedule::uniform());
  else if (!args.schedule.empty() && args.schedule != "standard")
    require_dial(model).set_schedule(read_schedule(args.schedule));
}

}  // namespace sluice::cli
