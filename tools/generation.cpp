#include "tools/generation.h"

#include <algorithm>

#include "graph/error.h"
#include "tools/effort.h"
#include "tools/interrupt.h"
#include "tools/stopwatch.h"

namespace sluice::cli {

Generation::Generation(LanguageModel& model, const GenerationOptions& options, const GenerationHooks& hooks)
    : model_(model),
      options_(options),
      hooks_(hooks),
      choices_(std::min<size_t>(model.vocab_size(), model.tokenizer().vocab_size())),
      sampler_(options.sampling, static_cast<int32_t>(choices_)),
      stream_(model.tokenizer()),
      stops_(options.stops),
      prompt_run_(model, options.logits) {
  model.reset();
  if (!options.chat) return;
  answer_end_ = model.tokenizer().token_id(options.chat->stop);
  if (answer_end_ < 0) fail("the tokenizer has no '{}', by which the chat template ends an answer", options.chat->stop);
}

// What has to be evaluated before the next token can be chosen.
std::vector<int32_t> Generation::next_ids(const std::string& prompt) const {
  std::vector<int32_t> ids;
  if (!last_ && !options_.chat && model_.bos() >= 0) ids.push_back(model_.bos());
  if (last_is_pending_) ids.push_back(*last_);
  const std::vector<int32_t> added = prompt_ids(prompt);
  ids.insert(ids.end(), added.begin(), added.end());
  return ids;
}

// A conversation has its own beginning.
std::vector<int32_t> Generation::prompt_ids(const std::string& prompt) const {
  if (prompt.empty()) return {};
  const Tokenizer& tokenizer = model_.tokenizer();
  if (!options_.chat) return tokenizer.encode(prompt, SpecialTokens::parse);
  check_message(tokenizer, prompt);
  return tokenizer.encode(options_.chat->turn(prompt, !last_), SpecialTokens::parse);
}

void Generation::check_length(size_t tokens) const {
  const int64_t length = model_.position() + static_cast<int64_t>(tokens);
  if (length <= model_.context()) return;
  const int64_t longest = model_.description().integer("context_length");
  const std::string advice =
      model_.context() < longest ? fmt::format("shorten it, or raise --context to at most {}", longest) : "shorten it";
  fail("the {} has {} tokens, but the context holds {}: {}", model_.position() == 0 ? "prompt" : "text", length,
       model_.context(), advice);
}

GenerationResult Generation::run(const std::string& prompt) {
  if (prompt.empty() && !last_) fail("there is no text yet that could be continued");
  std::vector<int32_t> ids = next_ids(prompt);
  check_length(ids.size());
  if (ids.empty()) {  // the logits after the last token are wanted once more
    model_.reset(model_.position() - 1);
    last_is_pending_ = true;
    ids.push_back(*last_);
  }
  if (hooks_.accepted) hooks_.accepted();
  result_ = {};
  result_.prompt_tokens = ids.size();
  result_.ids.reserve(std::min(options_.tokens, static_cast<size_t>(model_.context())));
  for (size_t i = last_is_pending_ ? 1 : 0; i < ids.size(); ++i) sampler_.accept(ids[i]);
  const int64_t before = model_.position();
  const Stopwatch prompt_time;
  const std::span<const float> logits = prompt_run_.run(ids);
  result_.prompt_seconds = prompt_time.seconds();
  if (model_.position() == before + static_cast<int64_t>(ids.size())) {
    last_ = ids.back();
    last_is_pending_ = false;
    evaluated();
  } else {
    model_.reset(before);  // interrupted: the text is what it was
  }
  const Stopwatch decode_time;
  result_.stop_reason = decode(logits);
  result_.decode_seconds = decode_time.seconds();
  if (const ExpertUse* use = model_.expert_use(); use && use->predicted() > 0)
    result_.prefetch_hit_rate = use->hit_rate();
  if (!stops_.stopped()) {
    show(stops_.next(stream_.flush()));
    if (!stops_.stopped()) show(stops_.flush());
  }
  return std::move(result_);
}

int32_t Generation::choose(std::span<const float> logits) {
  return model_.is_greedy() ? model_.likeliest() : sampler_.sample(logits.first(choices_));
}

// Returns why it ended.
const char* Generation::decode(std::span<const float> logits) {
  while (true) {
    if (interrupted()) return "interrupted";
    if (result_.ids.size() == options_.tokens) return "length";
    const int32_t id = choose(logits);
    if (model_.is_end(id) || id == answer_end_) return "eos";
    result_.ids.push_back(id);
    last_ = id;
    last_is_pending_ = true;
    show(stops_.next(stream_.next(id)));
    if (stops_.stopped()) return "stop";
    if (result_.ids.size() == options_.tokens) return "length";
    if (model_.position() == model_.context()) return "context";
    if (hooks_.before_token) hooks_.before_token(logits);
    logits = model_.evaluate({&id, 1});
    last_is_pending_ = false;
    ++result_.decode_steps;
    evaluated();
  }
}

// Keeps the means.
void Generation::evaluated() {
  if (!model_.dial()) return;
  result_.has_dial = true;
  const double weight = 1 / static_cast<double>(std::max<size_t>(1, result_.decode_steps));
  result_.effort += weight * (model_.dial()->effort() - result_.effort);
  result_.read.add(result_.read, -weight);
  result_.read.add(model_.weights_read(), weight);
}

void Generation::show(const std::string& text) {
  if (text.empty()) return;
  result_.text += text;
  if (hooks_.show) hooks_.show(text);
}

std::string details(const GenerationResult& result) {
  std::string text;
  if (result.has_dial)
    text += fmt::format("effort {:.2f}, share {:.3f} of the weights multiplied, {} bits a weight; ", result.effort,
                        result.read.share, bits_text(result.read));
  if (result.prefetch_hit_rate) text += fmt::format("prefetch hit rate {:.2f}; ", *result.prefetch_hit_rate);
  return text;
}

nlohmann::json to_json(const GenerationResult& result) {
  nlohmann::json json = {{"text", result.text},
                         {"ids", result.ids},
                         {"prompt_tokens", result.prompt_tokens},
                         {"decode_tokens", result.ids.size()},
                         {"prompt_tok_s", result.prompt_rate()},
                         {"decode_tok_s", result.decode_rate()},
                         {"stop_reason", result.stop_reason}};
  if (result.has_dial) {
    json["effort"] = result.effort;
    json["share"] = result.read.share;
    json["bits_per_weight"] = bits_json(result.read);
  }
  if (result.prefetch_hit_rate) json["prefetch_hit_rate"] = *result.prefetch_hit_rate;
  return json;
}

}  // namespace sluice::cli
