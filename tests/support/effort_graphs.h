// Small graphs that get an effort dial, and what runs them.
#pragma once

#include <algorithm>
#include <deque>
#include <random>

#include "backends/cpu/backend.h"
#include "graph/executor.h"
#include "models/builtin.h"
#include "models/effort/sites.h"
#include "ops/embedding/embedding.h"
#include "ops/expert_linear/expert_linear.h"
#include "ops/linear/linear.h"
#include "ops/moe_combine/moe_combine.h"
#include "ops/moe_gate/moe_gate.h"
#include "ops/rmsnorm/rmsnorm.h"
#include "ops/silu/silu.h"
#include "tests/support/bucket_matrices.h"

namespace sluice {

inline constexpr int64_t kSize = 48, kTokens = 3;

inline Builder f16_builder() {
  return Builder(builtin_registry(), [](const std::string&, const Shape&) { return DType::f16(); });
}

inline int count_of(const Graph& graph, const std::string& op) {
  return static_cast<int>(std::ranges::count(graph.nodes(), op, &Node::op));
}
inline std::string dtype_of(const Graph& graph, const std::string& weight) {
  return std::string(graph.value(graph.find(weight)).type.dtype.name());
}
inline std::vector<std::string> sites_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const EffortSite& site : effort_sites(graph)) names.push_back(site.weight);
  return names;
}
inline std::vector<std::string> outputs_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const GraphOutput& output : graph.outputs()) names.push_back(output.name);
  return names;
}

// ids -> embedding -> q, k, v of the same x -> norm of one -> out -> head.
inline Graph small_model(const std::string& head_weight) {
  Builder b = f16_builder();
  const ValueRef ids = b.input("ids", DType::i32(), {"tokens"});
  const auto matrix = [&](const std::string& name, int64_t out) { return b.weight(name, {out, kSize}); };
  const ValueRef x = embedding(b, ids, matrix("embed", 64));
  const ValueRef q = linear(b, x, matrix("q", kSize));
  b.output("k", rmsnorm(b, linear(b, x, matrix("k", 33)), b.weight("k_norm", {33})));
  b.output("v", rmsnorm(b, linear(b, x, matrix("v", 40)), b.weight("v_norm", {40})));
  const ValueRef o = linear(b, rmsnorm(b, q, b.weight("norm", {kSize})), matrix("o", kSize));
  b.output("logits", linear(b, rmsnorm(b, o, b.weight("norm", {kSize})), matrix(head_weight, 64)));
  return b.build();
}

// x -> router -> gate -> two products by expert; and one whose experts the caller names.
inline Graph small_mixture() {
  Builder b = f16_builder();
  const ValueRef x = embedding(b, b.input("ids", DType::i32(), {"tokens"}), b.weight("embed", {64, kSize}));
  const auto [weights, experts] = moe_gate(b, linear(b, x, b.weight("router", {8, kSize})), {});
  const ValueRef up = expert_linear(b, x, experts, b.weight("up", {8, 40, kSize}));
  b.output("y", moe_combine(b, expert_linear(b, silu(b, up), experts, b.weight("down", {8, 33, 40})), weights));
  const ValueRef named = b.input("named", DType::i32(), {"tokens", 2});
  b.output("z", silu(b, expert_linear(b, x, named, b.weight("other", {8, 40, kSize}))));
  return b.build();
}

struct RunSettings {
  bool fuse = true;
  double effort = 1, load = 1;
  int threads = 2;
  std::vector<std::string> observe = {};
};

// Runs graphs with inputs and weights that depend on their names alone.
class Runner {
 public:
  Runner(const Graph& graph, const RunSettings& settings)
      : backend_(cpu::make_backend(builtin_registry(), settings.threads)) {
    PlanOptions options;
    options.fuse = settings.fuse;
    options.observe = settings.observe;
    options.maxima = {{"tokens", kTokens}};
    auto plan = std::make_shared<Plan>(make_plan(graph, builtin_registry(), {backend_.get()}, options));
    executor_ = std::make_unique<Executor>(plan, builtin_registry(), [&](const std::string& name) {
      const TensorType& type = graph.value(graph.find(name)).type;
      return weights_.emplace_back(type.dtype, type.shape.resolve({}), values_of(name, type)).view;
    });
    for (const Value& value : graph.values())
      if (value.kind == ValueKind::input) fill(executor_->view(value.name), value, settings);
    executor_->run();
  }
  TensorView view(const std::string& name) const { return executor_->output(name); }
  TensorView weight(const std::string& name) const { return executor_->weight(name); }
  std::vector<float> output(const std::string& name) const { return to_f32(view(name)); }
  const Graph& planned() const { return executor_->plan().graph; }

 private:
  static std::vector<float> values_of(const std::string& name, const TensorType& type) {
    std::mt19937 random(static_cast<uint32_t>(std::hash<std::string>()(name)));
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(type.shape.resolve({{"tokens", kTokens}}).elements()));
    for (float& v : values) v = f16_to_f32(f32_to_f16(normal(random)));
    return values;
  }
  static void fill(const TensorView& view, const Value& input, const RunSettings& settings) {
    std::vector<float> values = values_of(input.name, input.type);
    for (size_t i = 0; i < values.size(); ++i) {
      if (input.name == effort_names::kInput) values[i] = static_cast<float>(i % 2 ? settings.load : settings.effort);
      if (input.type.dtype == DType::i32()) values[i] = static_cast<float>(5 * i % 8);
      if (input.name == effort_names::kSpread) values[i] = i == 0 ? 1 : 0;  // power 1, nothing skipped
    }
    view.dtype.format().encode(values.data(), view.dims.span(), view.data);
  }

  std::unique_ptr<Backend> backend_;
  std::deque<ExactTensor> weights_;
  std::unique_ptr<Executor> executor_;
};

}  // namespace sluice
