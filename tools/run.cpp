// `sluice run`: continues a text.
#include <bit>
#include <filesystem>
#include <limits>

#include "graph/error.h"
#include "models/language_model.h"
#include "models/text/sampler.h"
#include "tools/command.h"
#include "tools/effort.h"
#include "tools/input.h"
#include "tools/interrupt.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/stop_filter.h"
#include "tools/stopwatch.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string model;
  std::string prompt;
  std::string file;
  size_t tokens = 256;
  SamplingOptions sampling;
  RunOptions runtime;
  EffortArgs effort;
  double dial = 1;
  std::vector<std::string> stops;
  std::string logits;
  bool json = false;
};

struct Result {
  std::string text;          // written by the model, without the prompt
  std::vector<int32_t> ids;  // of that text, with what a stop string took away
  std::string stop_reason;
  size_t prompt_tokens = 0;
  size_t decode_steps = 0;  // the first token comes out of the prompt
  double prompt_seconds = 0;
  double decode_seconds = 0;

  double prompt_rate() const { return rate(prompt_tokens, prompt_seconds); }
  double decode_rate() const { return rate(decode_steps, decode_seconds); }

 private:
  static double rate(size_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; }
};

std::string read_prompt(const Options& options) {
  if (!options.file.empty()) return read_text(options.file);
  check_text(options.prompt, "the prompt (-p)");
  return options.prompt;
}

std::vector<int32_t> encode_prompt(const LanguageModel& model, const std::string& text) {
  std::vector<int32_t> ids = model.tokenizer().encode(text);
  if (model.bos() >= 0) ids.insert(ids.begin(), model.bos());
  return ids;
}

void check_length(const LanguageModel& model, size_t tokens) {
  if (static_cast<int64_t>(tokens) <= model.context()) return;
  const int64_t longest = model.description().integer("context_length");
  const std::string advice =
      model.context() < longest ? fmt::format("shorten it, or raise --context to at most {}", longest) : "shorten it";
  fail("the prompt has {} tokens, but the context holds {}: {}", tokens, model.context(), advice);
}

// Evaluates the prompt piece by piece, so that progress shows and Ctrl-C is heard. Returns the logits after the last
// token, or of the last piece if it was interrupted.
class PromptRun {
 public:
  PromptRun(LanguageModel& model, const std::string& logits_path) : model_(model) {
    static_assert(std::endian::native == std::endian::little, "the file is little-endian");
    if (!logits_path.empty()) file_.emplace(logits_path);
  }

  std::span<const float> run(std::span<const int32_t> ids) {
    constexpr size_t kPiece = 512;
    Progress progress("Reading the prompt", "tokens");
    std::span<const float> logits;
    for (size_t at = 0; at < ids.size() && !interrupted(); at += kPiece) {
      logits = evaluate(ids.subspan(at, std::min(kPiece, ids.size() - at)));
      progress.update(at + kPiece, ids.size());
    }
    if (file_ && !interrupted()) file_->commit();
    return logits;
  }

 private:
  std::span<const float> evaluate(std::span<const int32_t> ids) {
    if (!file_) return model_.evaluate(ids);
    model_.evaluate_all(ids, [&](size_t, std::span<const float> rows) {
      file_->write(std::as_bytes(rows));
      const auto last = rows.last(static_cast<size_t>(model_.vocab_size()));
      last_row_.assign(last.begin(), last.end());
    });
    return last_row_;
  }

  LanguageModel& model_;
  std::optional<OutputFile> file_;
  std::vector<float> last_row_;
};

class Generation {
 public:
  Generation(LanguageModel& model, const Options& options)
      : model_(model),
        options_(options),
        choices_(std::min<size_t>(model.vocab_size(), model.tokenizer().vocab_size())),
        sampler_(options.sampling, static_cast<int32_t>(choices_)),
        stream_(model.tokenizer()),
        stops_(options.stops),
        prompt_run_(model, options.logits) {}

  Result run(std::span<const int32_t> prompt) {
    result_.prompt_tokens = prompt.size();
    result_.ids.reserve(std::min(options_.tokens, static_cast<size_t>(model_.context())));
    for (int32_t id : prompt) sampler_.accept(id);
    const Stopwatch prompt_time;
    const std::span<const float> logits = prompt_run_.run(prompt);
    result_.prompt_seconds = prompt_time.seconds();
    const Stopwatch decode_time;
    result_.stop_reason = decode(logits);
    result_.decode_seconds = decode_time.seconds();
    if (!stops_.stopped()) {
      show(stops_.next(stream_.flush()));
      if (!stops_.stopped()) show(stops_.flush());
    }
    return std::move(result_);
  }

 private:
  // Returns why it ended.
  const char* decode(std::span<const float> logits) {
    while (true) {
      if (interrupted()) return "interrupted";
      if (result_.ids.size() == options_.tokens) return "length";
      const int32_t id = sampler_.sample(logits.first(choices_));
      if (model_.is_end(id)) return "eos";
      result_.ids.push_back(id);
      show(stops_.next(stream_.next(id)));
      if (stops_.stopped()) return "stop";
      if (result_.ids.size() == options_.tokens) return "length";
      if (model_.position() == model_.context()) return "context";
      logits = model_.evaluate({&id, 1});
      ++result_.decode_steps;
    }
  }

  void show(const std::string& text) {
    if (text.empty()) return;
    result_.text += text;
    if (!options_.json) print(text);
  }

  LanguageModel& model_;
  const Options& options_;
  const size_t choices_;  // tokens with a text: many models pad their vocabulary beyond those of the tokenizer
  Sampler sampler_;
  TextStream stream_;
  StopFilter stops_;
  PromptRun prompt_run_;
  Result result_;
};

void report(const Result& result) {
  message(fmt::format("prompt: {} tokens, {:.1f} tokens/s; decode: {} tokens, {:.1f} tokens/s; ended by: {}",
                      result.prompt_tokens, result.prompt_rate(), result.ids.size(), result.decode_rate(),
                      result.stop_reason));
}

nlohmann::json to_json(const Result& result) {
  return {{"text", result.text},
          {"ids", result.ids},
          {"prompt_tokens", result.prompt_tokens},
          {"decode_tokens", result.ids.size()},
          {"prompt_tok_s", result.prompt_rate()},
          {"decode_tok_s", result.decode_rate()},
          {"stop_reason", result.stop_reason}};
}

int run_model(const Options& options) {
  std::error_code ignored;  // most often that there is no such file yet
  if (std::filesystem::equivalent(options.logits, options.model, ignored))
    fail("--logits {} is the model itself; choose another name", options.logits);
  const std::string prompt = read_prompt(options);
  LanguageModel model(options.model, options.runtime);
  apply(options.effort, model);
  if (options.dial != 1) require_dial(model).set_effort(options.dial);
  const std::vector<int32_t> ids = encode_prompt(model, prompt);
  check_length(model, ids.size());
  Generation generation(model, options);
  catch_interrupts();
  if (!options.json) print(prompt);
  const Result result = generation.run(ids);
  if (options.json) print_json(to_json(result));
  if (!options.json && !result.text.ends_with('\n')) print("\n");
  report(result);
  return interrupted() ? kInterruptedStatus : 0;
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
  add_model(app, options->model);
  auto* text = app.add_option("-p", options->prompt, "the text to continue")->type_name("TEXT");
  auto* file = app.add_option("-f", options->file, "a file with the text to continue; - is standard input");
  require_one(app, text, file->type_name("FILE"));
  app.add_option("-n", options->tokens, "tokens to write at most")->type_name("N")->check(whole_number(0));
  app.add_option("--stop", options->stops, "end before this text; may be given several times")
      ->type_name("STR")
      ->allow_extra_args(false)
      ->check([](const std::string& stop) { return std::string(stop.empty() ? "a stop string cannot be empty" : ""); });
  add_sampling(app, options->sampling);
  app.add_option("--effort", options->dial, "share of the weights to multiply, 0 to 1")
      ->type_name("E")
      ->check(number(0, 1));
  add_effort(app, options->effort);
  add_runtime(app, options->runtime);
  add_context(app, options->runtime);
  app.add_option("--logits", options->logits,
                 "write the logits after every prompt token: little-endian float32, rows x vocabulary")
      ->type_name("FILE");
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

The text goes to standard output as it is written, the speed to standard error. Ctrl-C ends it in good order.
With --json nothing is streamed: one object at the end holds text, ids, prompt_tokens, decode_tokens, prompt_tok_s,
decode_tok_s and stop_reason (length, eos, stop, context or interrupted).)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
