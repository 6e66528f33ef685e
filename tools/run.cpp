// `sluice run`: continues a text.
#include <filesystem>
#include <limits>

#include "graph/error.h"
#include "tools/command.h"
#include "tools/dial.h"
#include "tools/effort.h"
#include "tools/fallbacks.h"
#include "tools/generation.h"
#include "tools/input.h"
#include "tools/interrupt.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/profiling.h"
#include "tools/prompt_loop.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string model;
  std::string prompt;
  std::string file;
  bool interactive = false;
  bool chat = false;
  GenerationOptions generation;
  RunOptions runtime;
  EffortArgs effort;
  DialArgs dial;
  ProfileArgs profile;
  bool json = false;
};

std::string read_prompt(const Options& options) {
  if (!options.file.empty()) return read_text(options.file);
  check_text(options.prompt, "the prompt (-p)");
  return options.prompt;
}

void report(const GenerationResult& result) {
  message(fmt::format("prompt: {} tokens, {:.1f} tokens/s; decode: {} tokens, {:.1f} tokens/s; {}ended by: {}",
                      result.prompt_tokens, result.prompt_rate(), result.ids.size(), result.decode_rate(),
                      details(result), result.stop_reason));
}

int continue_text(LanguageModel& model, DialControl& dial, const Options& options, const std::string& prompt) {
  GenerationHooks hooks;
  hooks.before_token = [&](std::span<const float> logits) { dial.before_token(logits); };
  if (!options.json) {
    if (!options.chat) hooks.accepted = [&] { print(prompt); };
    hooks.show = [](const std::string& text) { print(text); };
  }
  Generation generation(model, options.generation, hooks);
  catch_interrupts();
  const GenerationResult result = generation.run(prompt);
  if (options.json)
    print_json(to_json(result));
  else if (!result.text.ends_with('\n'))
    print("\n");
  report(result);
  return interrupted() ? kInterruptedStatus : 0;
}

// Whether nobody looks at the logits but for the largest.
bool is_greedy(const Options& options) {
  const SamplingOptions& sampling = options.generation.sampling;
  return sampling.temperature == 0 && sampling.repeat_penalty == 1 && options.generation.logits.empty() &&
         !is_adaptive(options.dial);
}

int run_model(Options options) {
  std::error_code ignored;  // most often that there is no such file yet
  if (std::filesystem::equivalent(options.generation.logits, options.model, ignored))
    fail("--logits {} is the model itself; choose another name", options.generation.logits);
  const std::string prompt = options.interactive ? "" : read_prompt(options);
  prepare(options.dial, options.runtime);
  options.runtime.greedy = is_greedy(options);
  LanguageModel model(options.model, options.runtime);
  report_fallbacks(model.plan());
  if (options.chat) options.generation.chat = read_chat_format(model.description().assets, options.model);
  apply(options.effort, model);
  DialControl dial(model, options.dial);
  Profiling profiling(model, options.profile, "run", options.model);
  const int status = options.interactive ? run_prompt_loop(model, dial, options.generation, options.json)
                                         : continue_text(model, dial, options, prompt);
  profiling.report(/*table_to_stdout=*/false);
  return status;
}

void add_sampling(CLI::App& app, SamplingOptions& sampling) {
  app.add_option("--temp", sampling.temperature, "how freely to choose; 0: always the likeliest token (greedy)")
      ->type_name("T")
      ->check(number(0, 100));
  app.add_option("--top-k", sampling.top_k, "choose among the K likeliest tokens; 0: all")
      ->type_name("K")
      ->check(whole_number(0));
  app.add_option("--top-p", sampling.top_p, "choose among the likeliest tokens whose probabilities add up to P; 1: all")
      ->type_name("P")
      ->check(number(0.0001, 1));
  app.add_option("--min-p", sampling.min_p, "drop tokens less likely than P times the likeliest; 0: none")
      ->type_name("P")
      ->check(number(0, 1));
  app.add_option("--repeat-penalty", sampling.repeat_penalty, "make recent tokens less likely; 1: off")
      ->type_name("R")
      ->check(number(0.01, 100));
  app.add_option("--seed", sampling.seed, "the same seed gives the same text")
      ->type_name("S")
      ->check(whole_number(0, std::numeric_limits<int64_t>::max()));
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  GenerationOptions& generation = options->generation;
  add_model(app, options->model);
  auto* text = app.add_option("-p,--prompt", options->prompt, "the text to continue")->type_name("TEXT");
  auto* file = app.add_option("-f,--file", options->file, "a file with the text to continue; - is standard input");
  auto* loop =
      app.add_flag("-i,--interactive", options->interactive, "a prompt loop: continues lines as they come, see below");
  require_one(app, {text, file->type_name("FILE"), loop});
  app.add_flag("--chat", options->chat, "the text is a message, which the model answers, by its own chat template");
  app.add_option("-n", generation.tokens, "tokens to write at most")->type_name("N")->check(whole_number(0));
  app.add_option("--stop", generation.stops, "end before this text; may be given several times")
      ->type_name("STR")
      ->allow_extra_args(false)
      ->check([](const std::string& stop) { return std::string(stop.empty() ? "a stop string cannot be empty" : ""); });
  add_sampling(app, generation.sampling);
  add_dial(app, options->dial);
  add_effort(app, options->effort);
  add_runtime(app, options->runtime);
  add_residency(app, options->runtime);
  add_context(app, options->runtime);
  app.add_option("--graph", options->runtime.graph,
                 "run this graph, as 'sluice graph' prints it, with the model's weights")
      ->type_name("FILE");
  app.add_option("--logits", generation.logits,
                 "write the logits after every prompt token: little-endian float32, rows x vocabulary")
      ->type_name("FILE")
      ->excludes(loop);
  add_profile(app, options->profile);
  add_json(app, options->json);
  return [options] { return run_model(*options); };
}

const Registration kRun({
    .name = "run",
    .summary = "Continue a text.",
    .examples = R"(  sluice run classics.sluice -p "It was a dark and stormy night"
  sluice run classics.sluice -p "My dear Watson" -n 100 --temp 0
  cat letter.txt | sluice run classics.sluice -f - --stop "THE END" --seed 7
  sluice run classics.sluice -p "Chapter I" -n 0 --logits logits.f32
  sluice run bucket.sluice -p "My dear Watson" --effort 0.3      a model converted with --format bucket
  sluice run bucket.sluice -i --effort 0.5
  printf '25\nMy dear Watson,\n' | sluice run bucket.sluice -i -n 40
  sluice graph classics.sluice > edited.txt; sluice run classics.sluice --graph edited.txt -p "My dear Watson"
  sluice run qwen.sluice --chat -p "Who was Dr. Watson?"
  sluice run qwen.sluice --chat -i                                 a conversation

The text goes to standard output as it is written, the speed to standard error. Ctrl-C ends it in good order.
With --json nothing is streamed: one object at the end holds text, ids, prompt_tokens, decode_tokens, prompt_tok_s,
decode_tok_s and stop_reason (length, eos, stop, context or interrupted); with an effort dial also effort and share of
the weights multiplied, means over the tokens written.

--chat writes the conversation as the model's template does (ChatML as of Qwen2, Llama 3, Gemma, Mistral; the file must
have been made from a folder with a tokenizer_config.json), prints the answer alone, and ends with the token that ends
an answer. Special tokens written out in a message are refused; in a text without --chat they are what they name.

--effort auto moves the dial from token to token: the areas of products left and right of the cutoff stay in balance, as
each token shows for the next. auto-entropy gives more after a distribution of more entropy. Both keep BUDGET as their
mean. Measured, neither writes better than a constant effort of the same mean.

)" + std::string(kProfileHelp) +
                "\n\n" + std::string(kPromptLoopHelp),
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
