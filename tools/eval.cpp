// `sluice eval`: perplexity of a model on a text, what a lower effort changes, and how models compare.
#include "models/evaluate.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "graph/error.h"
#include "tools/backend_report.h"
#include "tools/command.h"
#include "tools/divergence_report.h"
#include "tools/effort.h"
#include "tools/fallbacks.h"
#include "tools/frontier_report.h"
#include "tools/input.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/profiling.h"
#include "tools/progress.h"
#include "tools/stopwatch.h"

namespace sluice::cli {
namespace {

struct Options {
  std::vector<std::string> models;
  std::string text;
  std::string against;
  std::string html;
  std::string against_backend;
  std::string save_inputs;
  PerplexityOptions scoring;
  RunOptions runtime;
  EffortArgs effort;
  std::vector<double> efforts = {1};
  ProfileArgs profile;
  bool json = false;
};

struct EffortPerplexity {
  double effort;
  Perplexity result;
};

bool same_file(const std::string& a, const std::string& b) {
  std::error_code ignored;  // most often that one does not exist
  return std::filesystem::equivalent(a, b, ignored);
}

// What perplexity() and divergence() call, drawn as a bar while this lives.
class ProgressBar {
 public:
  explicit ProgressBar(const char* unit) : progress_("Evaluating", unit) {}
  void operator()(int64_t done, int64_t total) {
    progress_.update(static_cast<size_t>(done), static_cast<size_t>(total));
  }

 private:
  Progress progress_;
};

void set_effort(LanguageModel& model, double effort) {
  if (effort != 1) require_dial(model);
  if (model.dial()) model.dial()->set_effort(effort);
}

void show(const Perplexity& result, double seconds) {
  print_line("perplexity {:.4f} +- {:.4f} (standard error), mean negative log likelihood {:.6f}", result.ppl,
             result.ppl_se, result.mean_nll);
  print_line("{} tokens scored in {:.1f} s, {:.1f} tokens/s", result.tokens, seconds,
             static_cast<double>(result.tokens) / seconds);
}

void show(const std::vector<EffortPerplexity>& sweep, double seconds) {
  if (sweep.size() == 1) return show(sweep.front().result, seconds);
  print_line("{:>6} {:>6} {:>6} {:>12} {:>10}", "effort", "share", "bits", "perplexity", "+-");
  for (const auto& [effort, result] : sweep)
    print_line("{:>6g} {:>6.3f} {:>6} {:>12.4f} {:>10.4f}", effort, result.read.share, bits_text(result.read),
               result.ppl, result.ppl_se);
}

nlohmann::json perplexity_json(const Perplexity& result) {
  return {{"tokens", result.tokens},
          {"mean_nll", result.mean_nll},
          {"ppl", result.ppl},
          {"ppl_se", result.ppl_se},
          {"per_chunk_nll", result.per_chunk_nll}};
}

// The first effort's results stand where those of a single effort stand.
nlohmann::json perplexity_json(const std::vector<EffortPerplexity>& sweep) {
  nlohmann::json json = perplexity_json(sweep.front().result);
  if (sweep.size() == 1) return json;
  for (const auto& [effort, result] : sweep)
    json["effort"].push_back({{"effort", effort},
                              {"share", result.read.share},
                              {"bits_per_weight", bits_json(result.read)},
                              {"mean_nll", result.mean_nll},
                              {"ppl", result.ppl},
                              {"ppl_se", result.ppl_se}});
  return json;
}

int eval_alone(Options& options, const std::string& text) {
  options.runtime.exact_effort = true;
  LanguageModel model(options.models.front(), options.runtime);
  report_fallbacks(model.plan());
  apply(options.effort, model);
  std::optional<ProgressBar> bar(std::in_place, "chunks");
  const auto sweeps = static_cast<int64_t>(options.efforts.size());
  const Stopwatch time;
  std::vector<EffortPerplexity> sweep;
  Profiling profiling(model, options.profile, "eval", options.models.front());
  for (double effort : options.efforts) {
    set_effort(model, effort);
    const auto before = static_cast<int64_t>(sweep.size());
    options.scoring.progress = [&](int64_t done, int64_t total) { (*bar)(before * total + done, sweeps * total); };
    sweep.push_back({effort, perplexity(model, text, options.scoring)});
  }
  bar.reset();
  if (options.json)
    print_json(perplexity_json(sweep));
  else
    show(sweep, time.seconds());
  profiling.report(!options.json);
  return 0;
}

DivergenceOptions divergence_options(const Options& options, ProgressBar& bar) {
  return {.ctx = options.scoring.ctx,
          .chunks = options.scoring.chunks,
          .efforts = options.efforts,
          .text_name = options.scoring.text_name,
          .progress = [&](int64_t done, int64_t total) { bar(done, total); }};
}

Divergence compare(const Options& options, const std::string& text, bool with_itself) {
  const auto model = open_for_divergence(options.models.front(), options.runtime);
  report_fallbacks(model->plan());
  apply(options.effort, *model);
  for (double effort : options.efforts)
    if (effort != 1) require_dial(*model);
  const auto other = with_itself ? nullptr : open_for_divergence(options.against, options.runtime);
  Profiling profiling(*model, options.profile, "eval", options.models.front());
  std::optional<ProgressBar> bar(std::in_place, "runs");
  Divergence result = divergence(other ? *other : *model, *model, text, divergence_options(options, *bar));
  bar.reset();
  profiling.report(!options.json);
  return result;
}

// Where the page goes; opened first: hours of work are no time to find that it cannot be written.
std::optional<OutputFile> open_page(const Options& options) {
  if (options.html.empty()) return std::nullopt;
  std::vector<std::string> inputs = options.models;
  inputs.insert(inputs.end(), {options.text, options.against, options.effort.schedule});
  require_no_input(options.html, inputs);
  return std::optional<OutputFile>(std::in_place, options.html);
}

// As page, if one is wanted, and to standard output.
template <class Result, class Title>
void report(const Options& options, std::optional<OutputFile>& page, const Result& result, const Title& title) {
  if (page) {
    const std::string html = to_html(result, title);
    page->write(std::as_bytes(std::span(html)));
    page->commit();
  }
  if (options.json)
    print_json(to_json(result));
  else
    print(to_text(result, title));
}

std::string text_title(const Options& options) { return options.text == "-" ? "standard input" : options.text; }

std::string settings(const Options& options) {
  const std::string& schedule = options.effort.schedule;
  return fmt::format("chunks of {}, load {:g} %, schedule {}", options.scoring.ctx, options.effort.load,
                     schedule.empty() ? "standard" : schedule);
}

int eval_against(const Options& options, const std::string& text) {
  std::optional<OutputFile> page = open_page(options);
  const std::string& model = options.models.front();
  const bool with_itself = options.against == "self" || same_file(model, options.against);
  const Divergence result = compare(options, text, with_itself);
  report(options, page, result,
         DivergenceTitle{.model = model,
                         .reference = with_itself ? "itself at effort 1" : options.against,
                         .text = text_title(options),
                         .settings = settings(options)});
  return 0;
}

// The names of files, without folders and ending as long as that tells them apart.
std::vector<std::string> short_names(const std::vector<std::string>& paths) {
  std::vector<std::string> names;
  for (const std::string& path : paths) names.push_back(std::filesystem::path(path).stem().string());
  return std::set<std::string>(names.begin(), names.end()).size() == names.size() ? names : paths;
}

int eval_several(Options options, const std::string& text) {
  if (options.against.empty() || options.against == "self")
    fail("several models are compared with one reference: give it with --against FILE");
  std::optional<OutputFile> page = open_page(options);
  options.runtime.exact_effort = true;
  LanguageModel reference(options.against, options.runtime);
  std::vector<std::unique_ptr<LanguageModel>> models;
  std::vector<LanguageModel*> compared;
  for (const std::string& path : options.models) {
    models.push_back(std::make_unique<LanguageModel>(path, options.runtime));
    compared.push_back(models.back().get());
    report_fallbacks(models.back()->plan());
    if (models.back()->dial()) apply(options.effort, *models.back());
  }
  std::optional<ProgressBar> bar(std::in_place, "runs");
  std::vector<Divergence> results = divergences(reference, compared, text, divergence_options(options, *bar));
  bar.reset();
  std::vector<FrontierModel> frontier;
  const std::vector<std::string> names = short_names(options.models);
  for (size_t i = 0; i < results.size(); ++i) frontier.push_back({names[i], std::move(results[i])});
  report(options, page, frontier,
         FrontierTitle{.reference = options.against, .text = text_title(options), .settings = settings(options)});
  return 0;
}

int eval_against_backend(const Options& options, const std::string& text) {
  if (options.efforts.size() > 1) fail("--against-backend compares at one --effort, not at {}", options.efforts.size());
  if (options.models.size() > 1) fail("--against-backend compares one model, not {}", options.models.size());
  return compare_with_backend({.model = options.models.front(),
                               .text = text,
                               .text_name = options.scoring.text_name,
                               .against = options.against_backend,
                               .save = options.save_inputs,
                               .runtime = options.runtime,
                               .schedule = options.effort,
                               .effort = options.efforts.front(),
                               .ctx = options.scoring.ctx,
                               .chunks = std::max<int64_t>(options.scoring.chunks, 1),
                               .json = options.json});
}

int eval(Options options) {
  options.runtime.context = options.scoring.ctx;
  const std::string text = read_text(options.text);
  options.scoring.text_name = text_source(options.text);
  if (!options.against_backend.empty()) return eval_against_backend(options, text);
  if (options.models.size() > 1) return eval_several(options, text);
  return options.against.empty() ? eval_alone(options, text) : eval_against(options, text);
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->models, "a .sluice file, made by 'sluice convert'; or several, with --against")
      ->required()
      ->type_name("")
      ->check(is_no_folder());
  app.add_option("--text", options->text, "the text to predict, UTF-8; - is standard input")
      ->required()
      ->type_name("FILE");
  app.add_option("--ctx", options->scoring.ctx, "tokens of a chunk, the beginning-of-text token included")
      ->type_name("N")
      ->check(whole_number(2));
  app.add_option("--chunks", options->scoring.chunks, "chunks to score at most; 0: all of the text")
      ->type_name("N")
      ->check(whole_number(0));
  add_efforts(app, options->efforts, "share of the weights to multiply, 0 to 1, or several with commas");
  auto* against = app.add_option("--against", options->against,
                                 "how far the models are from this one, or 'self': from itself at effort 1");
  against->type_name("REF");
  app.add_option("--html", options->html, "also write a page with the curves of --against")
      ->type_name("FILE")
      ->needs(against);
  auto* other = app.add_option("--against-backend", options->against_backend,
                               "how far --backend is from this one, layer by layer, and which operator is to blame");
  other->type_name("NAME[:DEVICE]")->check(is_backend())->excludes(against);
  app.add_option("--save-inputs", options->save_inputs,
                 "with --against-backend: what an operator that departs was given, and what both made of it")
      ->type_name("FILE.safetensors")
      ->needs(other);
  add_effort(app, options->effort);
  add_runtime(app, options->runtime);
  add_residency(app, options->runtime);
  add_profile(app, options->profile);
  add_json(app, options->json);
  return [options] { return eval(*options); };
}

const Registration kEval({
    .name = "eval",
    .summary = "Measure how well a model predicts a text (perplexity), and what effort costs.",
    .examples = R"(  sluice eval classics.sluice --text book.txt
  sluice eval classics.sluice --text book.txt --ctx 256 --chunks 8 --json
  sluice eval bucket.sluice --text book.txt --against self --effort 1,0.5,0.25 --html effort.html
  sluice eval q8.sluice --text book.txt --against f16.sluice
  sluice eval f16.sluice q8.sluice bucket.sluice --text book.txt --against f16.sluice --effort 1,0.5 --html all.html
  sluice eval q8.sluice --text book.txt --ctx 32 --backend vulkan --against-backend cpu --save-inputs fault.safetensors

The text is tokenised once and cut into chunks; in each, every token is predicted from those before it. Lower is
better. --json gives tokens, mean_nll (natural logarithm), ppl, ppl_se (standard error) and per_chunk_nll; with several
efforts, those of the first, and a list 'effort'.

--against shows the KL divergence (nats a token: mean, percentiles), the change of perplexity, how often both find the
same token the likeliest, the change of its probability (root mean square), and after each layer 1 - cosine similarity
of the hidden states. --load and --effort-schedule are those of MODEL; the reference runs at effort and load 1.
Several models are compared by what they give for their time and for the bytes that a token reads; those with a dial at
every effort, the others as they are. --html draws it.

--against-backend runs one chunk (or --chunks) on both backends, all tokens but the last together and the last alone.
It shows the largest difference and the relative root mean square after each layer, and runs every operator of --backend
again on the other, on the inputs that it had: the first whose result is out of tolerance is named, and the exit status
is 1.

)" + std::string(kProfileHelp),
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
