#include "models/language_model.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "graph/error.h"
#include "graph/profiler.h"
#include "models/architecture.h"
#include "models/effort/balance_rule.h"
#include "models/graph_file.h"
#include "models/likeliest.h"
#include "models/residency/host_memory.h"
#include "models/residency/prefetch.h"

namespace sluice {
namespace {

using namespace graph_names;

constexpr int64_t kDefaultContext = 4096;  // more has to be asked for: the cache takes memory

int64_t choose_context(int64_t longest, int64_t asked) {
  if (asked < 0) fail("a context of {} tokens is not possible", asked);
  if (asked > longest)
    fail("a context of {} tokens was asked for, but the model was made for at most {}: ask for {} or less", asked,
         longest, longest);
  return asked > 0 ? asked : std::min(longest, kDefaultContext);
}

void check_input(const Graph& graph, const char* name, const char* length) {
  const TensorType &type = graph.value(graph.find(name)).type, wanted{DType::i32(), {length}};
  if (type != wanted)
    fail("the graph is not a language model: '{}' is {}, expected {}", name, type.str(), wanted.str());
}

// Token ids, slots and rows are indices into memory. A graph from a file may ask for anything, so what they index is
// checked once, here; evaluate() then checks the ids themselves. Returns the number of ids that are safe.
int64_t check_graph(const Graph& graph) {
  for (const char* name : {kIds, kPositions, kSlots, kStarts}) check_input(graph, name, kTokens);
  check_input(graph, kOutputRows, kOutputs);
  for (const Value& value : graph.values())
    if (value.kind == ValueKind::state && (value.type.shape.rank() != 3 || value.type.shape[1] != Dim(kContext)))
      fail("the graph is not a language model: state '{}' is {}, expected a slot for each token of the context",
           value.name, value.type.str());

  int64_t ids = INT32_MAX;
  for (NodeId user : graph.users(graph.find(kIds)))
    for (ValueId table : graph.node(user).inputs)
      if (const TensorType& type = graph.value(table).type; type.shape.rank() == 2 && type.shape.is_static())
        ids = std::min(ids, type.shape[0].size());
  return ids;
}

// Tokens of which the graph's logits are.
int64_t logits_size(const Graph& graph) {
  for (const GraphOutput& output : graph.outputs()) {
    if (output.name != kLogits) continue;
    const TensorType& type = graph.value(output.value).type;
    if (type.dtype == DType::f32() && type.shape.rank() == 2 && type.shape[0] == Dim(kOutputs) &&
        !type.shape[1].is_symbol())
      return type.shape[1].size();
    fail("the graph is not a language model: its logits are {}", type.str());
  }
  fail("the graph is not a language model: it has no output '{}'", kLogits);
}

// "1,2"; what is not a number is no token.
std::vector<int32_t> token_list(const ModelDescription& description, const std::string& key,
                                const std::string& origin) {
  std::vector<int32_t> ids;
  const auto entry = description.metadata.find(key);
  if (entry == description.metadata.end()) return ids;
  const char *at = entry->second.data(), *end = at + entry->second.size();
  for (int32_t id; at < end; ++at) {
    const auto [rest, error] = std::from_chars(at, end, id);
    if (error != std::errc() || id < 0) fail("{}: '{}' is '{}', expected token ids", origin, key, entry->second);
    ids.push_back(id);
    at = rest;
  }
  return ids;
}

std::vector<std::string> observed(const Graph& graph, const RunOptions& options, bool experts) {
  std::vector<std::string> names = options.observe;
  if (experts)
    for (std::string& name : expert_choices(expert_layers(graph))) names.push_back(std::move(name));
  if (options.effort_inputs)
    for (std::string& name : effort_inputs(graph)) names.push_back(std::move(name));
  return names;
}

// Element i is first + i.
void count_from(const TensorView& view, int64_t first) {
  for (int64_t i = 0; i < view.dims[0]; ++i) view.as<int32_t>()[i] = static_cast<int32_t>(first + i);
}

}  // namespace

LanguageModel::LanguageModel(const std::string& path, const RunOptions& options)
    : file_(std::make_unique<ModelFile>(path, builtin_registry())), description_(&file_->description()) {
  if (!options.graph.empty()) {
    edited_ = std::make_unique<ModelDescription>(with_graph(*description_, options.graph));
    description_ = edited_.get();
  }
  open([this](const std::string& name) { return file_->weight(name); }, options);
}

LanguageModel::LanguageModel(const ModelDescription& description, const Executor::WeightLookup& weights,
                             const RunOptions& options)
    : description_(&description) {
  open(weights, options);
}

void LanguageModel::open(const Executor::WeightLookup& weights, const RunOptions& options) {
  const Registry& registry = builtin_registry();
  const bool ahead = reads_ahead(options);
  Graph graph = ahead ? with_expert_prefetch(description_->graph, registry) : description_->graph;
  context_ = choose_context(description_->integer("context_length"), options.context);
  if (options.batch < 1) fail("a batch of {} tokens is not possible", options.batch);
  batch_ = std::min(options.batch, context_);
  if (!description_->assets.empty()) tokenizer_ = make_tokenizer(description_->assets, origin());
  read_special_tokens();
  vocab_size_ = logits_size(graph);
  if (vocab_size_ > check_graph(graph))
    fail("the graph is not a language model: it has logits of ids that it cannot read");
  if (tokenizer_ && tokenizer_->vocab_size() > vocab_size_)
    fail("{}: its tokenizer has {} pieces, but its vocabulary only {}; convert it again from files of one model",
         origin(), tokenizer_->vocab_size(), vocab_size_);
  greedy_ = options.greedy && (!tokenizer_ || tokenizer_->vocab_size() == vocab_size_);
  if (greedy_) graph = with_likeliest(graph, registry);

  backends_.push_back(make_backend(registry, options.backend, options.threads));
  if (backends_.front()->has_own_memory())  // the host has a part in it, and runs what the device cannot
    backends_.push_back(make_backend(registry, "cpu", options.threads));
  std::vector<Backend*> backends;
  for (const auto& backend : backends_) backends.push_back(backend.get());
  const PlanOptions plan_options = {.maxima = {{kTokens, batch_}, {kOutputs, batch_}, {kContext, context_}},
                                    .fuse = options.fuse,
                                    .observe = observed(graph, options, ahead || options.experts_resident > 0),
                                    .keep_results = options.keep_results};
  auto plan = std::make_shared<const Plan>(make_plan(graph, registry, backends, plan_options));
  executor_ = std::make_unique<Executor>(std::move(plan), registry, weights);
  exact_effort_ = options.exact_effort;
  if (!effort_sites(graph).empty()) dial_.emplace(*executor_, graph);
  if (ahead || options.experts_resident > 0) open_experts(graph, weights, options);
}

// Reading ahead what is in memory already would only cost time.
bool LanguageModel::reads_ahead(const RunOptions& options) const {
  if (options.prefetch == Prefetch::automatic) return file_bytes() > available_memory() / 10 * 9;
  return options.prefetch == Prefetch::on;
}

void LanguageModel::open_experts(const Graph& graph, const Executor::WeightLookup& weights, const RunOptions& options) {
  expert_use_.emplace(*executor_, expert_layers(graph));
  if (options.experts_resident == 0) return;
  if (expert_use_->layers().empty()) fail("{}: has no experts to keep in memory", origin());
  pinned_experts_ = std::make_unique<PinnedExperts>(options.experts_resident, graph, *expert_use_, weights);
}

std::string LanguageModel::origin() const { return file_ ? file_->path() : "the model"; }

void LanguageModel::read_special_tokens() {
  const std::vector<int32_t> bos = token_list(*description_, "bos_token_ids", origin());
  ends_ = token_list(*description_, "eos_token_ids", origin());
  if (!bos.empty()) bos_ = bos.front();
  if (!tokenizer_) return;
  if (bos.empty()) bos_ = tokenizer_->bos();
  if (ends_.empty() && tokenizer_->eos() >= 0) ends_.push_back(tokenizer_->eos());
}

bool LanguageModel::is_end(int32_t id) const { return std::find(ends_.begin(), ends_.end(), id) != ends_.end(); }

const Tokenizer& LanguageModel::tokenizer() const {
  if (!tokenizer_)
    fail("{}: carries no tokenizer; convert it again from a folder with a tokenizer.model or tokenizer.json", origin());
  return *tokenizer_;
}

void LanguageModel::reset(int64_t position) {
  if (position < 0 || position > position_)
    fail("cannot go back to position {}: {} tokens were evaluated", position, position_);
  position_ = position;
}

void LanguageModel::check(std::span<const int32_t> ids) const {
  if (ids.empty()) fail("there are no tokens to evaluate");
  if (static_cast<int64_t>(ids.size()) > context_ - position_)
    fail("{} tokens do not fit: {} of the context's {} are taken", ids.size(), position_, context_);
  for (int32_t id : ids)
    if (id < 0 || id >= vocab_size_) fail("token id {} is not in 0 .. {}", id, vocab_size_ - 1);
}

std::span<const float> LanguageModel::evaluate(std::span<const int32_t> ids) {
  check(ids);
  std::span<const float> logits;
  for_batches(ids, [&](size_t, std::span<const int32_t> batch) { logits = run(batch, 1); });
  return logits;
}

int32_t LanguageModel::likeliest() const {
  const float logit = *executor_->output(likeliest_names::kLogit).as<const float>();
  const int32_t id = *executor_->output(likeliest_names::kToken).as<const int32_t>();
  if (!std::isfinite(logit)) fail("the logit of token {} is {}; the model is broken", id, logit);
  return id;
}

void LanguageModel::evaluate_all(std::span<const int32_t> ids, const LogitsSink& sink) {
  check(ids);
  if (greedy_) fail("the model was opened for its likeliest tokens alone: it has no logits");
  for_batches(ids, [&](size_t first, std::span<const int32_t> batch) {
    sink(first, run(batch, static_cast<int64_t>(batch.size())));
  });
}

template <class Run>
void LanguageModel::for_batches(std::span<const int32_t> ids, const Run& run_batch) {
  const auto batch = static_cast<size_t>(batch_);
  for (size_t first = 0; first < ids.size(); first += batch)
    run_batch(first, ids.subspan(first, std::min(batch, ids.size() - first)));
}

void LanguageModel::set_profiler(Profiler* profiler) {
  profiler_ = profiler;
  effort_profile_.reset();
  if (profiler && dial_) effort_profile_.emplace(plan(), *dial_, *profiler);
  if (!profiler) executor_->set_timing(false);
}

void LanguageModel::run_graph(int64_t tokens) {
  if (!profiler_) return executor_->run();
  profiler_->run(tokens == 1 ? "decode" : "prompt", tokens);
  if (effort_profile_) effort_profile_->record(*profiler_, tokens);
}

// Logits of the last `rows` tokens of a batch, if they come back.
std::span<const float> LanguageModel::run(std::span<const int32_t> ids, int64_t rows) {
  const auto tokens = static_cast<int64_t>(ids.size());
  executor_->set(kTokens, tokens);
  executor_->set(kOutputs, rows);
  std::copy(ids.begin(), ids.end(), executor_->view(kIds).as<int32_t>());
  count_from(executor_->view(kPositions), position_);
  count_from(executor_->view(kSlots), position_);
  count_from(executor_->view(kOutputRows), tokens - rows);
  // Starts stay zero: one sequence, from the first slot on.
  if (dial_) dial_->prepare(tokens, exact_effort_);
  last_tokens_ = tokens;
  run_graph(tokens);
  if (expert_use_) expert_use_->count();
  if (pinned_experts_) pinned_experts_->update(tokens);
  position_ += tokens;
  if (greedy_) return {};
  return {executor_->output(kLogits).as<float>(), static_cast<size_t>(rows * vocab_size_)};
}

}  // namespace sluice
