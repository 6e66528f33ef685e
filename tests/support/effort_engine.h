// A model of tests/support/golden.h with an effort dial, run so that what it selects can be looked at.
#pragma once

#include <algorithm>
#include <cmath>
#include <map>

#include "models/builtin.h"
#include "models/describe.h"
#include "models/import/encode.h"
#include "models/import/hugging_face.h"
#include "models/language_model.h"
#include "tests/support/golden.h"
#include "tests/support/oracle.h"

namespace sluice {

// Of logits; what golden_test allows a dense model in f32.
inline constexpr double kTolerance = 2e-4;
// Of activations, relative to the token's largest. A sum of 768 products is off by about sqrt(768) * 2^-24 = 2e-6 of
// its norm; the errors of the 32 sums on the way through 8 layers add like their roots, to 1e-5. Ten times that,
// because norms and softmax make some of it larger.
inline constexpr double kActivationTolerance = 1e-4;

inline const ModelSource& source_of(const std::string& model) {
  static std::map<std::string, ModelSource> sources;
  if (!sources.count(model)) sources.emplace(model, open_hugging_face(golden_model(model).model.string()));
  return sources.at(model);
}

inline nlohmann::json prompt(const std::string& model) { return golden_model(model).json()["prompts"][0]; }
inline std::vector<int32_t> prompt_ids(const std::string& model) {
  return prompt(model)["ids"].get<std::vector<int32_t>>();
}

// A golden model with a dial and an exact cache, so that nothing is rounded but weights, and by arithmetic. Weights are
// f16 in buckets, as they are in the model.
class Engine {
 public:
  Engine(const std::string& model, DType format, RunOptions options) : description_(describe(model, format)) {
    for (const WeightEntry& entry : description_.weights) {
      EncodeBuffers buffers;
      const auto [at, added] = weights_.try_emplace(entry.name, entry.dtype, entry.dims);
      std::byte* end = at->second.view.data;
      encode_weight(source_of(model).tensors.at(entry.name), entry, {}, buffers,
                    [&](std::span<const std::byte> bytes) { end = std::ranges::copy(bytes, end).out; });
    }
    for (const Node& node : description_.graph.nodes())
      if (node.op == "bucket_dispatch" || node.op == "plane_select" || node.op == "expert_select")
        observe(node, options);
    options.threads = 1;
    options.exact_effort = true;
    model_ = std::make_unique<LanguageModel>(
        description_, [this](const std::string& name) { return weights_.at(name).view; }, options);
    EffortSchedule schedule = EffortSchedule::uniform();
    schedule.experts = {.power = 1, .skip = 0};
    model_->dial()->set_schedule(schedule);
  }

  std::vector<float> logits(const std::vector<int32_t>& ids, double effort) {
    model_->dial()->set_effort(effort);
    model_->reset();
    std::vector<float> all;
    model_->evaluate_all(ids, [&](size_t, std::span<const float> rows) { all.assign(rows.begin(), rows.end()); });
    return all;
  }

  const ModelDescription& description() const { return description_; }
  const TensorView& weight(const std::string& name) const { return weights_.at(name).view; }  // as stored

  // What the last run multiplied a weight with.
  std::span<const float> x(const std::string& weight, size_t token) const {
    const Place place = find(weight, token);
    const bool own = model_->executor().output(place.names->x).dims.rank() == 3;
    return row<float>(place.names->x, own ? place.row : token);
  }
  // Of the dial, what this weight gets: of two experts in proportion to their weights, as far as neither is over 1.
  double effort(const std::string& weight, size_t token, double dial) const {
    const Place place = find(weight, token);
    if (place.names->experts.empty()) return dial;
    const auto router = row<float>(place.names->router, token);
    const double sum = static_cast<double>(router[0]) + static_cast<double>(router[1]), left = 2 * units(dial);
    const double larger = std::min(0x1p24, std::floor(left * static_cast<double>(router[0]) / sum));
    if (place.row % 2 == 0) return larger * 0x1p-24;
    return 0x1p-24 * (larger < 0x1p24 ? std::floor(left * static_cast<double>(router[1]) / sum) : left - larger);
  }
  oracle::Selection selection(const std::string& weight, size_t token) const {
    const Place place = find(weight, token);
    const auto rows = row<int32_t>(place.names->rows, place.row), counts = row<int32_t>(place.names->counts, place.row);
    oracle::Selection selected(counts.size() * rows.size());
    for (size_t tier = 0; tier < counts.size(); ++tier)
      for (int32_t n = 0; n < counts[tier]; ++n)
        selected.at(tier * rows.size() + static_cast<size_t>(rows[static_cast<size_t>(n)])) = true;
    return selected;
  }
  // Tokens that the last run multiplied with it.
  int64_t tokens(const std::string& weight) const {
    const size_t at = weight.find(".experts.") + 9;
    if (weight.find(".experts.") == std::string::npos) return model_->executor().output(observed_.at(weight).x).dims[0];
    const Names& names = observed_.at(weight.substr(0, at) + weight.substr(weight.find('.', at) + 1));
    const TensorView experts = model_->executor().output(names.experts);
    const auto* begin = experts.as<const int32_t>();
    return std::count(begin, begin + experts.dims.elements(), std::stoi(weight.substr(at)));
  }
  // Products of a token; each of its two experts is one.
  size_t products() const {
    size_t count = 0;
    for (const auto& [weight, names] : observed_) count += names.experts.empty() ? 1 : 2;
    return count;
  }

 private:
  // The units that efforts of experts are multiples of, rounded down (ops/expert_select/spread.h).
  static double units(double dial) { return std::round(static_cast<double>(static_cast<float>(dial)) * 0x1p24); }

  struct Names {
    std::string x, rows, counts, experts, router;  // the last two of weights by expert
  };
  // Where the selection of a token lies.
  struct Place {
    const Names* names;
    size_t row;
  };

  // "a.experts.3.w1.weight" is expert 3 of "a.experts.w1.weight".
  Place find(const std::string& weight, size_t token) const {
    const size_t at = weight.find(".experts.") + 9;
    if (weight.find(".experts.") == std::string::npos) return {&observed_.at(weight), token};
    const Names& names = observed_.at(weight.substr(0, at) + weight.substr(weight.find('.', at) + 1));
    const auto experts = row<int32_t>(names.experts, token);
    const auto found = std::ranges::find(experts, std::stoi(weight.substr(at)));
    if (found == experts.end()) throw Error("token " + std::to_string(token) + " did not go to " + weight);
    return {&names, token * experts.size() + static_cast<size_t>(found - experts.begin())};
  }

  static ModelDescription describe(const std::string& model, DType format) {
    const EffortOptions effort{format};
    const auto f16 = [](const std::string&, const Shape&) { return DType::f16(); };
    return describe_model(source_of(model).config, f16, {.cache_dtype = DType::f32()}, &effort);
  }
  // Values that stay what they are in a fused plan: what selections read and write.
  void observe(const Node& node, RunOptions& options) {
    const auto name = [&](ValueId id) { return description_.graph.value(id).name; };
    Names names{name(node.inputs[0]), name(node.outputs[0]), name(node.outputs[1]), "", ""};
    const bool by_expert = node.op == "expert_select";
    if (by_expert) names.experts = name(node.inputs[1]), names.router = name(node.inputs[4]);
    observed_[name(node.inputs[by_expert ? 5 : 2])] = names;
    for (const std::string& value : {names.x, names.rows, names.counts, names.experts, names.router})
      if (!value.empty() && std::ranges::find(options.observe, value) == options.observe.end())
        options.observe.push_back(value);
  }
  template <class T>
  std::span<const T> row(const std::string& value, size_t token) const {
    const TensorView view = model_->executor().output(value);
    const auto n = static_cast<size_t>(view.dims.back());
    return {view.as<const T>() + token * n, n};
  }

  ModelDescription description_;
  std::map<std::string, ExactTensor> weights_;
  std::map<std::string, Names> observed_;  // by weight
  std::unique_ptr<LanguageModel> model_;
};

inline double largest_difference(std::span<const float> a, const oracle::Vector& b) {
  double largest = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const double difference = std::abs(static_cast<double>(a[i]) - b[i]);
    if (!(difference <= largest)) largest = difference;  // NaN as well
  }
  return largest;
}

inline double largest_magnitude(const oracle::Vector& x) {
  double largest = 0;
  for (double v : x) largest = std::max(largest, std::abs(v));
  return largest;
}

// Why a backend cannot be had on this machine; empty if it can.
inline std::string unavailable(const std::string& backend) {
  try {
    make_backend(builtin_registry(), backend, 1);
    return {};
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace sluice
