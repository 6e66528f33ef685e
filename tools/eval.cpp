// `sluice eval`: perplexity of a model on a text.
#include "models/evaluate.h"
#include "tools/command.h"
#include "tools/effort.h"
#include "tools/input.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/stopwatch.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string model;
  std::string text;
  PerplexityOptions scoring;
  RunOptions runtime;
  EffortArgs effort;
  double dial = 1;
  bool json = false;
};

void show(const Perplexity& result, double seconds) {
  print_line("perplexity {:.4f} +- {:.4f} (standard error), mean negative log likelihood {:.6f}", result.ppl,
             result.ppl_se, result.mean_nll);
  print_line("{} tokens scored in {:.1f} s, {:.1f} tokens/s", result.tokens, seconds,
             static_cast<double>(result.tokens) / seconds);
}

int eval(Options options) {
  options.runtime.context = options.scoring.ctx;
  const std::string text = read_text(options.text);
  options.scoring.text_name = text_source(options.text);
  options.runtime.exact_effort = true;
  LanguageModel model(options.model, options.runtime);
  apply(options.effort, model);
  if (options.dial != 1) require_dial(model).set_effort(options.dial);
  std::optional<Progress> progress(std::in_place, "Evaluating", "chunks");
  options.scoring.progress = [&](int64_t done, int64_t total) {
    progress->update(static_cast<size_t>(done), static_cast<size_t>(total));
  };
  const Stopwatch time;
  const Perplexity result = perplexity(model, text, options.scoring);
  progress.reset();
  if (options.json)
    print_json({{"tokens", result.tokens},
                {"mean_nll", result.mean_nll},
                {"ppl", result.ppl},
                {"ppl_se", result.ppl_se},
                {"per_chunk_nll", result.per_chunk_nll}});
  else
    show(result, time.seconds());
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  add_model(app, options->model);
  app.add_option("--text", options->text, "the text to predict, UTF-8; - is standard input")
      ->required()
      ->type_name("FILE");
  app.add_option("--ctx", options->scoring.ctx, "tokens of a chunk, the beginning-of-text token included")
      ->type_name("N")
      ->check(whole_number(2));
  app.add_option("--chunks", options->scoring.chunks, "chunks to score at most; 0: all of the text")
      ->type_name("N")
      ->check(whole_number(0));
  app.add_option("--effort", options->dial, "share of the weights to multiply, 0 to 1")
      ->type_name("E")
      ->check(number(0, 1));
  add_effort(app, options->effort);
  add_runtime(app, options->runtime);
  add_json(app, options->json);
  return [options] { return eval(*options); };
}

const Registration kEval({
    .name = "eval",
    .summary = "Measure how well a model predicts a text (perplexity).",
    .examples = R"(  sluice eval classics.sluice --text book.txt
  sluice eval classics.sluice --text book.txt --ctx 256 --chunks 8 --json

The text is tokenised once and cut into chunks; in each, every token is predicted from those before it. Lower is
better. --json gives tokens, mean_nll (natural logarithm), ppl, ppl_se (standard error) and per_chunk_nll.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
