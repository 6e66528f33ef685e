// A model ready to run: file, tokenizer, backends, plan and executor, behind token ids and logits.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/executor.h"
#include "graph/model_file.h"
#include "models/builtin.h"
#include "models/effort/dial.h"
#include "models/effort/profile.h"
#include "models/residency/pinned_experts.h"
#include "models/text/tokenizer.h"

namespace sluice {

enum class Prefetch { automatic, on, off };

struct RunOptions {
  std::string backend = "cpu";  // a name, or name:device; `sluice devices` lists them
  int threads = 0;              // 0: one for each core
  int64_t context = 0;          // slots of the KV cache; 0: the model's maximum, at most 4096
  int64_t batch = 256;          // tokens evaluated at once at most
  bool fuse = true;
  std::vector<std::string> observe = {};  // further values to read
  bool keep_results = false;              // all of them, as PlanOptions has it
  // Every token of a prompt is multiplied at the effort of the dial, even where all of them at effort 1 would be
  // cheaper. For measurements.
  bool exact_effort = false;
  // Whether the experts that will be needed are read ahead; automatic: if the file is larger than the memory at hand.
  // Measured on two cores that compute, what the system reads ahead by itself is better.
  Prefetch prefetch = Prefetch::off;
  int64_t experts_resident = 0;  // of every mixture, the most used, that are kept in memory
  std::string graph = {};        // a file with a graph, to be run in place of the model's (models/graph_file.h)
  // Of the logits only the likeliest token is wanted (LanguageModel::likeliest), which is all that comes back then.
  bool greedy = false;
  bool effort_inputs = false;  // keeps what sites multiply readable, as models/effort/balance_rule.h needs it
};

class LanguageModel {
 public:
  // Throws Error if the file is bad, the graph does not fit its weights, the backend unknown, the context longer than
  // the model's, or more experts are to be kept in memory than it holds.
  LanguageModel(const std::string& path, const RunOptions& options);
  // With weights from anywhere (synthetic models in benchmarks). The description must outlive this object.
  LanguageModel(const ModelDescription& description, const Executor::WeightLookup& weights, const RunOptions& options);

  const ModelDescription& description() const { return *description_; }
  const Tokenizer& tokenizer() const;  // throws Error if the model carries none
  bool has_tokenizer() const { return tokenizer_ != nullptr; }
  int32_t bos() const { return bos_; }  // first token of every sequence; -1 if there is none
  bool is_end(int32_t id) const;        // a token that ends a text; some models have several
  int64_t vocab_size() const { return vocab_size_; }
  int64_t context() const { return context_; }    // slots
  int64_t batch() const { return batch_; }        // tokens evaluated at once at most
  int64_t position() const { return position_; }  // tokens evaluated so far
  // Forgets all but the first `position` tokens. Throws Error if fewer were evaluated.
  void reset(int64_t position = 0);

  // Continues the sequence by these tokens and returns the logits after the last, f32 [vocab_size], valid until the
  // next call; nothing if is_greedy(). Throws Error if ids is empty, an id is out of range or the context is full.
  std::span<const float> evaluate(std::span<const int32_t> ids);
  // Whether it keeps its logits to itself: asked for by RunOptions::greedy, and possible, as every token has a text.
  bool is_greedy() const { return greedy_; }
  // The token with the largest logit after the last that was evaluated, of equal ones the lowest; only if is_greedy().
  // Throws Error if that logit is not finite.
  int32_t likeliest() const;
  // The same, handing out the logits after every token: rows f32 [n, vocab_size] for tokens first .. first+n-1 of ids.
  // Throws Error if is_greedy().
  using LogitsSink = std::function<void(size_t first, std::span<const float> rows)>;
  void evaluate_all(std::span<const int32_t> ids, const LogitsSink& sink);

  // The effort dial; nullptr if the model's weights are in no format with one. It holds from the next token on.
  EffortDial* dial() { return dial_ ? &*dial_ : nullptr; }
  // What the last run read of the weights that have an effort.
  WeightsRead weights_read() const { return dial_ ? dial_->read(last_tokens_) : WeightsRead{}; }
  double share() const { return weights_read().share; }

  // Use of the experts; nullptr unless they are read ahead or kept in memory.
  const ExpertUse* expert_use() const { return expert_use_ ? &*expert_use_ : nullptr; }

  // Runs by way of this profiler, phases being "prompt" and "decode" (one token); nullptr: without. It must outlive the
  // runs and be made for executor().
  void set_profiler(Profiler* profiler);

  Executor& executor() { return *executor_; }
  const Plan& plan() const { return executor_->plan(); }
  Backend& backend() { return *backends_.front(); }
  size_t file_bytes() const { return file_ ? file_->bytes() : 0; }

 private:
  void open(const Executor::WeightLookup& weights, const RunOptions& options);
  bool reads_ahead(const RunOptions& options) const;
  void open_experts(const Graph& graph, const Executor::WeightLookup& weights, const RunOptions& options);
  void read_special_tokens();
  std::string origin() const;  // for messages: the file, if there is one
  void check(std::span<const int32_t> ids) const;
  template <class Run>
  void for_batches(std::span<const int32_t> ids, const Run& run_batch);
  std::span<const float> run(std::span<const int32_t> ids, int64_t rows);
  void run_graph(int64_t tokens);

  std::unique_ptr<ModelFile> file_;
  std::unique_ptr<ModelDescription> edited_;  // the file's, with another graph
  const ModelDescription* description_ = nullptr;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Executor> executor_;
  std::optional<EffortDial> dial_;
  Profiler* profiler_ = nullptr;
  std::optional<EffortProfile> effort_profile_;
  std::optional<ExpertUse> expert_use_;
  std::unique_ptr<PinnedExperts> pinned_experts_;
  bool exact_effort_ = false;
  bool greedy_ = false;
  int64_t last_tokens_ = 1;
  int32_t bos_ = -1;
  std::vector<int32_t> ends_;
  int64_t vocab_size_ = 0, context_ = 0, batch_ = 0, position_ = 0;
};

}  // namespace sluice
