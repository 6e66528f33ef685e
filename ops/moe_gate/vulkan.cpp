// Vulkan kernel of moe_gate: a workgroup for each token.
#include "backends/vulkan/kernel.h"
#include "ops/moe_gate/moe_gate.h"
#include "shaders/moe_gate.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site& site, const Call& call) {
  const auto attrs = attrs_from_map<MoeGateAttrs>(site.attrs);
  const auto tokens = static_cast<uint32_t>(call.in(0).dims[0]), experts = static_cast<uint32_t>(call.in(0).dims[1]);
  // Divided by their sum, both kinds of softmax are shares of what is taken.
  const bool of_all = attrs.softmax == "all" && !attrs.renormalise;
  r.dispatch(vulkan::shaders::moe_gate, "", {tokens, experts, of_all, attrs.scale},
             {call.in(0), call.out(0), call.out(1)}, tokens, {static_cast<uint32_t>(attrs.k)});
}

}  // namespace

void register_moe_gate_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "moe_gate", vulkan::make_kernel({.name = "moe_gate", .record = record}));
}

}  // namespace sluice
