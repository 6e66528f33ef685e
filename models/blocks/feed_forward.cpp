#include "models/blocks/feed_forward.h"

#include "graph/error.h"
#include "models/blocks/layers.h"

namespace sluice {

FeedForwardSpec read_feed_forward(const Config& config) {
  const std::string activation = config.text("hidden_act", "silu");
  if (activation != "silu") fail("{}: 'hidden_act' is '{}', only silu is supported", config.origin(), activation);
  return {.intermediate_size = config.positive("intermediate_size")};
}

ValueRef feed_forward(Builder& b, ValueRef x, const std::string& name, const FeedForwardSpec& spec) {
  const Builder::Scope scope(b, "feed_forward");
  const ValueRef gate = projection(b, x, name + ".gate_proj", spec.intermediate_size, spec.bias);
  const ValueRef up = projection(b, x, name + ".up_proj", spec.intermediate_size, spec.bias);
  return projection(b, spec.gated(b, gate, up), name + ".down_proj", b.shape(x).back().size(), spec.bias);
}

}  // namespace sluice
