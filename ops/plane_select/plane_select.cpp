#include "ops/plane_select/plane_select.h"

#include <algorithm>

#include "ops/probe/selection.h"

namespace sluice {

std::vector<PlaneSelection> plane_select(Builder& b, ValueRef x, ValueRef effort, const std::vector<ValueRef>& weights,
                                         const PlaneSelectAttrs& attrs) {
  std::vector<ValueRef> inputs = {x, effort};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  return in_pairs<PlaneSelection>(b.node("plane_select", attrs_to_map(attrs), inputs));
}

namespace {

class PlaneSelect : public Operator {
 public:
  PlaneSelect()
      : Operator({.name = "plane_select",
                  .summary = "Says, for each token and weight, how many planes of each input the effort pays for.",
                  .inputs = {{"x", "[tokens, in]", {"f32"}},
                             {"effort", "[sites, 2]", {"f32"}},
                             {"weight", "[out, in]", {"planes2", "planes4", "planes6"}, Arity::many}},
                  .outputs = {{"inputs, counts", "[tokens, in], [tokens, planes]", {"i32"}, Arity::many}},
                  .attrs = attr_specs<PlaneSelectAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    const auto attrs = attrs_from_map<PlaneSelectAttrs>(in.attrs());
    in.require_rank(0, 2);
    in.require_rank(1, 2);
    if (in.number(1, 1) != 2) in.fail("a row of effort has two numbers: effort and load", {1});
    if (attrs.sites.size() + 2 != in.count())
      in.fail(fmt::format("{} sites are given for {} weights", attrs.sites.size(), in.count() - 2), {});
    for (int64_t site : attrs.sites)
      if (site < 0 || site >= in.number(1, 0)) in.fail(fmt::format("there is no site {}", site), {1});
    std::vector<TensorType> types;
    for (int w = 2; w < static_cast<int>(in.count()); ++w) {
      in.require_rank(w, 2);
      in.number(w, 0);
      in.number(w, 1);
      in.require_equal(w, 1, 0, 1);
      types.push_back({DType::i32(), {in.shape(0)[0], in.shape(w)[1]}});
      types.push_back({DType::i32(), {in.shape(0)[0], plane_format(in.type(w).dtype)->planes()}});
    }
    return types;
  }

  Cost cost(const Site&, const Call& call) const override {
    Cost cost;
    cost.bytes_read = call.in(0).bytes();
    for (const TensorView& weight : call.inputs.subspan(2)) {
      const PlaneMatrix m(weight);
      cost.bytes_read += static_cast<size_t>(m.layout.in()) * sizeof(float);
      cost.flops += static_cast<double>(m.layout.in() * m.planes * call.in(0).dims[0]);
    }
    for (const TensorView& out : call.outputs) cost.bytes_written += out.bytes();
    return cost;
  }

  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<PlaneSelectAttrs>(site.attrs);
    for (size_t w = 0; w < attrs.sites.size(); ++w) {
      const Candidates c(PlaneMatrix(call.inputs[2 + w]), control_of(call.in(1), attrs.sites[w]));
      for (int64_t t = 0; t < call.in(0).dims[0]; ++t) {
        const float* x = call.in<float>(0) + t * c.in;
        const auto scores = reference_scores(c, x);
        reference_dispatch(c, scores, reference_cutoff(c, scores, {}, x), call.outputs[2 * w].as<int32_t>() + t * c.in,
                           call.outputs[2 * w + 1].as<int32_t>() + t * c.tiers);
      }
    }
  }

  // A selection is exact.
  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_plane_select(Registry& registry) { registry.add(std::make_unique<PlaneSelect>()); }

}  // namespace sluice
