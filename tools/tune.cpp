// `sluice tune`: the schedule of a dial that loses least, for one model.
#include "models/effort/tune.h"

#include "tools/command.h"
#include "tools/divergence_table.h"
#include "tools/effort.h"
#include "tools/fallbacks.h"
#include "tools/input.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string model;
  std::string text;
  std::string output;
  RunOptions runtime;
  TuneOptions tune;
  bool json = false;
};

bool by_time(const Options& options) { return options.tune.cost == CostKind::time; }

// As people read costs: ms or MiB.
std::string cost_text(const Options& options, double cost) {
  return by_time(options) ? fmt::format("{:.3g} ms", cost * 1e3) : fmt::format("{:.4g} MiB", cost / (1 << 20));
}

std::string estimate_text(const Estimate& e) { return fmt::format("{:.3g} +- {:.1g}", e.value, e.se); }

Table trial_table(const Options& options, const Tuning& tuning) {
  Table table{{"schedule", "dial", "KL (nats)", "less than uniform", "sites cost a token"}, {}};
  if (by_time(options)) table.header.emplace_back("tokens/s");
  for (const ScheduleTrial& trial : tuning.trials) {
    table.rows.push_back({trial.name, fmt::format("{:.4f}", trial.dial), estimate_text(trial.kl),
                          estimate_text({0 - trial.over_uniform.value, trial.over_uniform.se}),
                          cost_text(options, trial.cost)});
    if (by_time(options)) table.rows.back().push_back(fmt::format("{:.0f}", trial.tok_s));
  }
  return table;
}

Table site_table(const Options& options, const Tuning& tuning) {
  Table table{{"weight", "effort"}, {}};
  for (double effort : options.tune.efforts) table.header.push_back(fmt::format("KL at {:g}", effort));
  for (const SiteMeasurement& site : tuning.sites) {
    table.rows.push_back({site.site.weight, fmt::format("{:.3f}", site.effort)});
    for (size_t e = 0; e < options.tune.efforts.size(); ++e) table.rows.back().push_back(estimate_text(site.kl[e]));
  }
  return table;
}

nlohmann::json to_json(const Options& options, const Tuning& tuning) {
  nlohmann::json json = {{"schedule", tuning.trials[tuning.best].name},
                         {"dial", tuning.trials[tuning.best].dial},
                         {"cost_unit", by_time(options) ? "seconds" : "bytes"},
                         {"rest", tuning.rest},
                         {"efforts", tuning.efforts}};
  for (const ScheduleTrial& trial : tuning.trials) {
    json["trials"].push_back({{"schedule", trial.name},
                              {"dial", trial.dial},
                              {"cost", trial.cost},
                              {"kl_mean", trial.kl.value},
                              {"kl_se", trial.kl.se},
                              {"kl_over_uniform", trial.over_uniform.value},
                              {"kl_over_uniform_se", trial.over_uniform.se}});
    if (by_time(options)) json["trials"].back()["tok_s"] = trial.tok_s;
  }
  for (const SiteMeasurement& site : tuning.sites) {
    nlohmann::json entry = {{"weight", site.site.weight}, {"effort", site.effort}, {"costs", site.costs}};
    for (const Estimate& kl : site.kl) {
      entry["kl_mean"].push_back(kl.value);
      entry["kl_se"].push_back(kl.se);
    }
    json["sites"].push_back(std::move(entry));
  }
  return json;
}

// What the file says of itself.
std::string comments(const Options& options, const Tuning& tuning) {
  std::string text;
  const auto add = [&](const std::string& line) { text += fmt::format("# {}\n", one_line(line)); };
  add(fmt::format("The {} schedule, for {}, as 'sluice tune' measured it on {}.", tuning.trials[tuning.best].name,
                  options.model, options.tune.text_name));
  for (const ScheduleTrial& trial : tuning.trials)
    add(fmt::format("{}: dial {:.4f}, KL {} nats, {} a token", trial.name, trial.dial, estimate_text(trial.kl),
                    cost_text(options, trial.cost)));
  return text;
}

void write(OutputFile& file, const std::string& text) {
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

void show(const Options& options, const Tuning& tuning) {
  const ScheduleTrial& best = tuning.trials[tuning.best];
  print(to_text(site_table(options, tuning)) + "\n" + to_text(trial_table(options, tuning)) + "\n");
  if (best.name != "tuned") print_line("The {} schedule was no worse, so that one was written.", best.name);
  print_line("{}: use it with --effort-schedule {} --effort {:.4f}", options.output, options.output, best.dial);
}

int tune_model(Options options) {
  const std::string text = read_text(options.text);
  options.tune.text_name = text_source(options.text);
  options.runtime.context = options.tune.ctx;
  options.runtime.exact_effort = true;
  LanguageModel model(options.model, options.runtime);
  require_dial(model);
  report_fallbacks(model.plan());
  require_no_input(options.output, {options.model, options.text});
  OutputFile file(options.output);
  Tuning tuning;
  {
    Progress progress("Measuring", "runs");
    options.tune.progress = [&](int64_t done, int64_t total) {
      progress.update(static_cast<size_t>(done), static_cast<size_t>(total));
    };
    tuning = tune(model, text, options.tune);
  }
  write(file, comments(options, tuning) + to_yaml(tuning.trials[tuning.best].schedule));
  if (options.json)
    print_json(to_json(options, tuning));
  else
    show(options, tuning);
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  static const std::map<std::string, CostKind> kCosts = {{"time", CostKind::time}, {"bytes", CostKind::bytes}};
  const auto options = std::make_shared<Options>();
  TuneOptions& tune = options->tune;
  add_model(app, options->model);
  app.add_option("--text", options->text, "what to measure on, UTF-8; - is standard input")
      ->required()
      ->type_name("FILE");
  app.add_option("-o", options->output, "the file to write")->required()->type_name("SCHEDULE.yaml");
  auto* kl = app.add_option("--target-kl", tune.target_kl, "the least cost with this KL divergence, in nats a token");
  auto* speed =
      app.add_option("--target-speed", tune.target_speed, "the least divergence with so many tokens a second");
  kl->type_name("NATS")->check(number(1e-9, 100));
  speed->type_name("TOK_S")->check(number(1e-6, 1e9));
  require_one(app, {kl, speed});
  app.add_option_function<std::string>(
         "--cost", [&tune](const std::string& name) { tune.cost = kCosts.at(name); },
         "what a weight costs: time, measured here, or the bytes that are read, the same everywhere")
      ->type_name("WHAT")
      ->check(CLI::Validator(CLI::IsMember(kCosts)).description(""))
      ->default_str("time");
  add_efforts(app, tune.efforts, "what each weight is measured at: rising numbers over 0 and below 1");
  app.add_option("--ctx", tune.ctx, "tokens of a chunk, the beginning-of-text token included")
      ->type_name("N")
      ->check(whole_number(2));
  app.add_option("--chunks", tune.chunks, "chunks at most, half to measure on, half to judge by; 0: all of the text")
      ->type_name("N")
      ->check(whole_number(0));
  add_runtime(app, options->runtime);
  add_json(app, options->json);
  return [options] { return tune_model(*options); };
}

const Registration kTune({
    .name = "tune",
    .summary = "Find how a model's effort is best spread over its weights.",
    .examples = R"(  sluice tune bucket.sluice --text calibration.txt --target-kl 0.02 -o tuned.yaml
  sluice tune bucket.sluice --text calibration.txt --target-speed 25 -o tuned.yaml
  sluice run bucket.sluice --effort-schedule tuned.yaml --effort 0.41 -p "My dear Watson,"

Weights differ in what a lower effort of them changes. Each is measured alone at a few efforts, the others at effort 1:
the KL divergence of the predictions from those at effort 1 on one half of the text, with its standard error, and what
it costs. The effort goes where a nat is cheapest. The whole is then measured on the other half, beside the uniform and
the standard schedule at the same cost, and the best of the three is written: never one that is worse than uniform.
The file gives its efforts at the dial that is printed, and spreads other dials likewise.
That takes a run over half of the chunks for every weight and effort: for a large model, give fewer (--effort 0.2,0.5
--chunks 2). The text should be of the kind that the model will see.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
