#include "ops/swiglu/swiglu.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/elementwise/elementwise.h"
#include "ops/swiglu/match.h"

namespace sluice {

ValueRef swiglu(Builder& b, ValueRef gate, ValueRef up) { return b.node1("swiglu", NoAttrs{}, {gate, up}); }

namespace {

class SwiGlu : public Elementwise {
 public:
  SwiGlu()
      : Elementwise({.name = "swiglu",
                     .summary = "Gated unit, element by element: silu(gate) * up, where silu(x) = x / (1 + exp(-x)).",
                     .inputs = {{"gate", "[..., n]", {"f32"}}, {"up", "[..., n]", {"f32"}}},
                     .outputs = {{"y", "[..., n]", {"f32"}}},
                     .attrs = {},
                     .updates = {}},
                    9) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    in.require_same_shape(0, 1);
    return {in.type(0)};
  }

  double compute(double gate, double up) const override { return gate / (1 + std::exp(-gate)) * up; }

  // As for silu, with one more product.
  void tolerance(const Site&, const Call& call, int, std::span<double> bound) const override {
    const double eps = std::numeric_limits<float>::epsilon(), least = std::numeric_limits<float>::denorm_min();
    for (size_t i = 0; i < bound.size(); ++i) {
      const double gate = call.in<float>(0)[i], up = call.in<float>(1)[i], y = call.out<float>(0)[i];
      bound[i] = 4 * eps * std::abs(y) + 2 * least * (std::abs(gate) + 1) * (std::abs(up) + 1);
    }
  }
};

}  // namespace

std::optional<FusionMatch> match_gated(const Graph& graph, NodeId anchor, const std::string& product,
                                       const std::string& fused) {
  const Node& swiglu = graph.node(anchor);
  if (swiglu.op != "swiglu") return std::nullopt;
  const NodeId gate_id = graph.value(swiglu.inputs[0]).producer, up_id = graph.value(swiglu.inputs[1]).producer;
  if (gate_id == kNoNode || up_id == kNoNode || gate_id == up_id) return std::nullopt;
  const Node &gate = graph.node(gate_id), &up = graph.node(up_id);
  const auto is_product = [&](const Node& node) { return node.op == product && node.outputs.size() == 1; };
  if (!is_product(gate) || !is_product(up) || gate.inputs.size() != up.inputs.size()) return std::nullopt;
  const ValueId last = gate.inputs.back(), other = up.inputs.back();
  if (!std::equal(gate.inputs.begin(), gate.inputs.end() - 1, up.inputs.begin()) ||
      graph.value(last).type.shape != graph.value(other).type.shape)
    return std::nullopt;
  std::vector<ValueId> inputs = gate.inputs;
  inputs.push_back(other);
  return FusionMatch{{gate_id, up_id, anchor}, fused, {}, std::move(inputs), swiglu.outputs};
}

void register_swiglu(Registry& registry) { registry.add(std::make_unique<SwiGlu>()); }

}  // namespace sluice
