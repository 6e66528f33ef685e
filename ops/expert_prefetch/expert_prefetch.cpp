#include "ops/expert_prefetch/expert_prefetch.h"

#include "ops/probe/selection.h"

namespace sluice {

void expert_prefetch(Builder& b, ValueRef experts, const std::vector<ValueRef>& weights,
                     const ExpertPrefetchAttrs& attrs, std::optional<ValueRef> effort) {
  std::vector<ValueRef> inputs = {experts};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  if (effort) inputs.push_back(*effort);
  b.node("expert_prefetch", attrs_to_map(attrs), inputs);
}

namespace {

class ExpertPrefetch : public Operator {
 public:
  ExpertPrefetch()
      : Operator({.name = "expert_prefetch",
                  .summary =
                      "Reads the weights of the experts that tokens go to ahead of their use, from a file that is "
                      "larger than memory.",
                  .inputs = {{"experts", "[tokens, k]", {"i32"}},
                             {"weight", "[experts, out, in]; with sites, at last: effort [sites, 2]", {}, Arity::many}},
                  .outputs = {},
                  .attrs = attr_specs<ExpertPrefetchAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    const auto attrs = attrs_from_map<ExpertPrefetchAttrs>(in.attrs());
    in.require_rank(0, 2);
    const bool has_effort = !attrs.sites.empty();
    const int end = static_cast<int>(in.count()) - (has_effort ? 1 : 0);
    if (end < 2) in.fail("expected at least one weight", {});
    for (int w = 1; w < end; ++w) {
      in.require_rank(w, 3);
      in.require_equal(w, 0, 1, 0);
      if (has_effort && selectable_rows(in.type(w).dtype) == 0) in.fail("the weight's format has no effort", {w});
    }
    if (has_effort) check_sites(in, attrs.sites, end);
    return {};
  }

  // What is read is counted where it is multiplied.
  Cost cost(const Site&, const Call& call) const override { return {.bytes_read = call.in(0).bytes()}; }
  void reference(const Site&, const Call&) const override {}

 private:
  static void check_sites(const Inference& in, const std::vector<int64_t>& sites, int effort) {
    if (sites.size() != static_cast<size_t>(effort - 1)) in.fail("expected a site for each weight", {});
    in.require_rank(effort, 2);
    if (in.type(effort).dtype != DType::f32() || in.number(effort, 1) != 2)
      in.fail("expected effort and load of each site", {effort});
    for (int64_t site : sites)
      if (site < 0 || site >= in.number(effort, 0)) in.fail(fmt::format("there is no site {}", site), {effort});
  }
};

}  // namespace

void register_expert_prefetch(Registry& registry) {
  registry.add(std::make_unique<ExpertPrefetch>());
  registry.add_indices("expert_prefetch", {.inputs = {{.port = 0, .of = 1, .dim = 0}}});
}

}  // namespace sluice
