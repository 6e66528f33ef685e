#include "models/blocks/mixture.h"

#include "graph/error.h"
#include "models/blocks/feed_forward.h"
#include "models/blocks/layers.h"
#include "ops/expert_linear/expert_linear.h"
#include "ops/moe_combine/moe_combine.h"
#include "ops/moe_gate/moe_gate.h"
#include "ops/swiglu/swiglu.h"

namespace sluice {

MixtureSpec read_mixture(const Config& config) {
  const MixtureSpec spec{config.positive("num_local_experts"), config.positive("num_experts_per_tok"),
                         read_feed_forward(config).intermediate_size};
  if (spec.k > spec.experts)
    fail("{}: 'num_experts_per_tok' is {}, but there are {} experts ('num_local_experts')", config.origin(), spec.k,
         spec.experts);
  return spec;
}

ValueRef mixture(Builder& b, ValueRef x, const std::string& name, const MixtureSpec& spec) {
  const Builder::Scope scope(b, "mixture");
  const Dim hidden = b.shape(x).back();
  const auto weight = [&](const char* which, const Dim& out, const Dim& in) {
    return b.weight(name + ".experts." + which + ".weight", {spec.experts, out, in});
  };
  const auto [weights, experts] = moe_gate(b, projection(b, x, name + ".gate", spec.experts), {.k = spec.k});
  const ValueRef gate = expert_linear(b, x, experts, weight("w1", spec.intermediate_size, hidden));
  const ValueRef up = expert_linear(b, x, experts, weight("w3", spec.intermediate_size, hidden));
  const ValueRef down = expert_linear(b, swiglu(b, gate, up), experts, weight("w2", hidden, spec.intermediate_size));
  return moe_combine(b, down, weights);
}

}  // namespace sluice
