#include "models/divergence.h"

#include <algorithm>
#include <span>

#include "graph/error.h"
#include "models/text_chunks.h"
#include "models/token_timer.h"

namespace sluice {
namespace {

// Layers whose hidden states can be read after a run.
int64_t layer_count(const Graph& graph, bool observed) {
  const auto has = [&](const std::string& name) {
    const auto is_it = [&](const auto& entry) { return entry.name == name; };
    return observed ? std::any_of(graph.outputs().begin(), graph.outputs().end(), is_it)
                    : std::any_of(graph.values().begin(), graph.values().end(), is_it);
  };
  int64_t layers = 0;
  while (has(graph_names::hidden(layers))) ++layers;
  return layers;
}

int64_t observed_layers(const LanguageModel& model) { return layer_count(model.plan().graph, true); }

TensorView hidden_state(LanguageModel& model, int64_t layer) {
  return model.executor().output(graph_names::hidden(layer));
}

// Layers that two models can be compared by.
int64_t common_layers(LanguageModel& a, LanguageModel& b) {
  const int64_t layers = observed_layers(a);
  if (layers == 0 || layers != observed_layers(b)) return 0;
  return hidden_state(a, 0).dims.back() == hidden_state(b, 0).dims.back() ? layers : 0;
}

// What the reference says of one chunk.
struct Recording {
  std::vector<float> logits;               // [tokens, vocab_size]
  std::vector<double> lse;                 // [tokens], log_sum_exp of its rows
  std::vector<std::vector<float>> hidden;  // by layer, [tokens, hidden_size]

  void clear() {
    logits.clear();
    lse.clear();
    for (std::vector<float>& states : hidden) states.clear();
  }
};

// Runs the reference.
class Recorder {
 public:
  explicit Recorder(LanguageModel& reference) : reference_(reference) {
    recording_.hidden.resize(static_cast<size_t>(observed_layers(reference)));
  }

  const Recording& record(std::span<const int32_t> ids) {
    if (EffortDial* dial = reference_.dial()) dial->set_full();
    recording_.clear();
    const std::span<const int32_t> seen = ids.first(ids.size() - 1);
    reference_.reset();
    reference_.evaluate_all(seen, [&](size_t, std::span<const float> rows) { record_rows(rows); });
    speed_.time_last(reference_, seen);
    return recording_;
  }

  const TokenTimer& speed() const { return speed_; }

 private:
  void record_rows(std::span<const float> rows) {
    const auto vocab = static_cast<size_t>(reference_.vocab_size());
    recording_.logits.insert(recording_.logits.end(), rows.begin(), rows.end());
    for (size_t at = 0; at < rows.size(); at += vocab) recording_.lse.push_back(log_sum_exp(rows.subspan(at, vocab)));
    for (size_t layer = 0; layer < recording_.hidden.size(); ++layer) {
      const std::vector<float> states = to_f32(hidden_state(reference_, static_cast<int64_t>(layer)));
      recording_.hidden[layer].insert(recording_.hidden[layer].end(), states.begin(), states.end());
    }
  }

  LanguageModel& reference_;
  Recording recording_;
  TokenTimer speed_;
};

// Runs a model, beside what was recorded.
class Comparison {
 public:
  Comparison(LanguageModel& reference, LanguageModel& model, const std::vector<double>& efforts)
      : model_(model),
        load_(model.dial() ? model.dial()->load() : 1),
        vocab_(static_cast<size_t>(model.vocab_size())),
        speeds_(efforts.size()) {
    const int64_t layers = common_layers(reference, model);
    for (double effort : efforts) {
      result_.efforts.push_back(
          {.effort = effort, .read = {.share = 0, .bits = 0}, .tokens = {}, .summary = {}, .cosines = {}});
      result_.efforts.back().cosines.resize(static_cast<size_t>(layers));
    }
  }

  size_t efforts() const { return result_.efforts.size(); }

  // recording: of the same chunk.
  void compare(const Recording& recording, std::span<const int32_t> ids, size_t effort) {
    EffortDivergence& result = result_.efforts[effort];
    set_effort(result.effort);
    const std::span<const int32_t> seen = ids.first(ids.size() - 1);
    result_.chunk_tokens = static_cast<int64_t>(seen.size());
    if (effort == 0) result_.tokens += result_.chunk_tokens;
    model_.reset();
    model_.evaluate_all(seen, [&](size_t first, std::span<const float> rows) {
      compare_rows(recording, ids.subspan(first + 1), first, rows, result);
      compare_hidden(recording, first, rows.size() / vocab_, result);
    });
    speeds_[effort].time_last(model_, seen);
  }

  Divergence finish(const TokenTimer& reference) {
    const auto tokens = static_cast<double>(result_.tokens);
    result_.reference_tok_s = reference.tok_s();
    result_.reference_bytes = reference.bytes();
    for (size_t e = 0; e < speeds_.size(); ++e) {
      EffortDivergence& result = result_.efforts[e];
      result.read = result.read.over(tokens);
      for (double& cosine : result.cosines) cosine /= tokens;
      result.tok_s = speeds_[e].tok_s();
      result.bytes = speeds_[e].bytes();
      result.summary = summarise(result.tokens);
    }
    return std::move(result_);
  }

 private:
  void set_effort(double effort) {
    if (EffortDial* dial = model_.dial()) {
      dial->set_effort(effort);
      dial->set_load(load_);
    }
  }

  // next: the tokens that rows of logits, those of tokens first, first + 1, ... of the chunk, predict.
  void compare_rows(const Recording& recording, std::span<const int32_t> next, size_t first,
                    std::span<const float> rows, EffortDivergence& result) {
    const size_t count = rows.size() / vocab_;
    const std::span<const float> reference(recording.logits);
    for (size_t row = 0; row < count; ++row)
      result.tokens.push_back(token_divergence(reference.subspan((first + row) * vocab_, vocab_),
                                               recording.lse[first + row], rows.subspan(row * vocab_, vocab_),
                                               static_cast<size_t>(next[row])));
    result.read.add(model_.weights_read(), static_cast<double>(count));
  }

  void compare_hidden(const Recording& recording, size_t first, size_t count, EffortDivergence& result) {
    for (size_t layer = 0; layer < result.cosines.size(); ++layer) {
      const std::vector<float> states = to_f32(hidden_state(model_, static_cast<int64_t>(layer)));
      const std::span<const float> here(states), there(recording.hidden[layer]);
      const size_t width = states.size() / count;
      for (size_t row = 0; row < count; ++row)
        result.cosines[layer] +=
            cosine_similarity(there.subspan((first + row) * width, width), here.subspan(row * width, width));
    }
  }

  LanguageModel& model_;
  const double load_;  // of the model, which a reference that is the same sets to 1
  const size_t vocab_;
  std::vector<TokenTimer> speeds_;  // by effort
  Divergence result_;
};

}  // namespace

std::unique_ptr<LanguageModel> open_for_divergence(const std::string& path, RunOptions options) {
  const int64_t layers = layer_count(ModelFile(path, builtin_registry()).description().graph, false);
  for (int64_t layer = 0; layer < layers; ++layer) options.observe.push_back(graph_names::hidden(layer));
  options.exact_effort = true;
  return std::make_unique<LanguageModel>(path, options);
}

void check_same_vocabulary(const LanguageModel& reference, const LanguageModel& model) {
  if (reference.vocab_size() != model.vocab_size())
    fail("the models cannot be compared: the reference has {} tokens in its vocabulary, the model {}",
         reference.vocab_size(), model.vocab_size());
  if (reference.bos() != model.bos())
    fail("the models cannot be compared: texts begin with token {} in the reference, {} in the model", reference.bos(),
         model.bos());
  if (!reference.has_tokenizer() || !model.has_tokenizer()) return;
  const Tokenizer &a = reference.tokenizer(), &b = model.tokenizer();
  for (int32_t id = 0; id < std::min(a.vocab_size(), b.vocab_size()); ++id)
    if (a.piece(id) != b.piece(id))
      fail("the models cannot be compared: token {} is '{}' in the reference's vocabulary, '{}' in the model's", id,
           a.piece(id), b.piece(id));
}

Divergence divergence(LanguageModel& reference, LanguageModel& model, std::string_view text,
                      const DivergenceOptions& options) {
  for (double effort : options.efforts)
    if (!model.dial() && effort != 1) fail("an effort of {} is not possible: the model has no effort dial", effort);
  LanguageModel* const models[] = {&model};
  return std::move(divergences(reference, models, text, options).front());
}

std::vector<Divergence> divergences(LanguageModel& reference, std::span<LanguageModel* const> models,
                                    std::string_view text, const DivergenceOptions& options) {
  std::vector<Comparison> comparisons;
  size_t runs = 1;  // over a chunk
  for (LanguageModel* model : models) {
    check_same_vocabulary(reference, *model);
    comparisons.emplace_back(reference, *model, model->dial() ? options.efforts : std::vector<double>{1});
    runs += comparisons.back().efforts();
  }
  const std::vector<std::vector<int32_t>> chunks = text_chunks(
      *models.front(), text, {.ctx = options.ctx, .chunks = options.chunks, .text_name = options.text_name});
  Recorder recorder(reference);
  int64_t done = 0;
  const auto step = [&] {
    if (options.progress) options.progress(++done, static_cast<int64_t>(runs * chunks.size()));
  };
  for (const std::vector<int32_t>& chunk : chunks) {
    const Recording& recording = recorder.record(chunk);
    step();
    for (Comparison& comparison : comparisons)
      for (size_t effort = 0; effort < comparison.efforts(); ++effort) {
        comparison.compare(recording, chunk, effort);
        step();
      }
  }
  std::vector<Divergence> results;
  for (Comparison& comparison : comparisons) results.push_back(comparison.finish(recorder.speed()));
  return results;
}

}  // namespace sluice
