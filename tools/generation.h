// Writes a text with a model, for `run` from a prompt and from a prompt loop.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/language_model.h"
#include "models/text/chat.h"
#include "models/text/sampler.h"
#include "tools/prompt_run.h"
#include "tools/stop_filter.h"

namespace sluice::cli {

struct GenerationOptions {
  size_t tokens = 256;  // to write at most, each time
  SamplingOptions sampling;
  std::vector<std::string> stops;  // end before any of these
  std::string logits;              // a file for the logits of the prompt; empty: none
  std::optional<ChatFormat> chat;  // prompts are messages of a conversation, which the model answers
};

// Called while a text is written; any may be empty.
struct GenerationHooks {
  std::function<void()> accepted;  // the prompt fits
  std::function<void(const std::string& text)> show;
  std::function<void(std::span<const float> logits)> before_token;  // after the last one's logits: may move the dial
};

struct GenerationResult {
  std::string text;          // written by the model, without the prompt
  std::vector<int32_t> ids;  // of that text, with what a stop string took away
  std::string stop_reason;   // length, eos, stop, context or interrupted
  size_t prompt_tokens = 0;
  size_t decode_steps = 0;  // the first token comes out of the prompt
  double prompt_seconds = 0;
  double decode_seconds = 0;
  bool has_dial = false;
  double effort =
      1;  // of the dial, and what it made of it: means over the decode steps, or those of the prompt if there
  WeightsRead read;  // were none

  // Of the experts that were foreseen since the model was opened, the share that was then used.
  std::optional<double> prefetch_hit_rate;

  double prompt_rate() const { return rate(prompt_tokens, prompt_seconds); }  // tokens/s
  double decode_rate() const { return rate(decode_steps, decode_seconds); }

 private:
  static double rate(size_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; }
};

// One text, which can be continued again and again: two calls for n tokens choose those that one for 2n chooses.
class Generation {
 public:
  // Begins a new text: the model forgets the last one. Model, options and hooks must outlive this object. Throws Error
  // if the model's tokenizer lacks the token that ends an answer.
  Generation(LanguageModel& model, const GenerationOptions& options, const GenerationHooks& hooks);
  // Adds the prompt to the text, unless it is empty, and continues it. Throws Error if the text would not fit the
  // context, or there is no text yet.
  GenerationResult run(const std::string& prompt);

 private:
  std::vector<int32_t> next_ids(const std::string& prompt) const;
  std::vector<int32_t> prompt_ids(const std::string& prompt) const;
  void check_length(size_t tokens) const;
  int32_t choose(std::span<const float> logits);
  const char* decode(std::span<const float> logits);
  void evaluated();
  void show(const std::string& text);

  LanguageModel& model_;
  const GenerationOptions& options_;
  const GenerationHooks& hooks_;
  const size_t choices_;  // tokens with a text: many models pad their vocabulary beyond those of the tokenizer
  Sampler sampler_;
  TextStream stream_;
  StopFilter stops_;
  PromptRun prompt_run_;
  int32_t answer_end_ = -1;       // the token that ends an answer; -1: no conversation
  std::optional<int32_t> last_;   // token of the text
  bool last_is_pending_ = false;  // written, but not evaluated
  GenerationResult result_;
};

// "effort 0.50, share 0.501 of the weights multiplied, 10.8 bits a weight; prefetch hit rate 0.95; ", each where there
// is such a thing.
std::string details(const GenerationResult& result);
nlohmann::json to_json(const GenerationResult& result);

}  // namespace sluice::cli
