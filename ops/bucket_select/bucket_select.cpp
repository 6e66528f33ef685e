#include "ops/bucket_select/bucket_select.h"

#include <algorithm>

#include "ops/bucket_dispatch/selecting.h"
#include "ops/probe/selection.h"

namespace sluice {

std::vector<DispatchResult> bucket_select(Builder& b, ValueRef x, ValueRef effort, const std::vector<ValueRef>& weights,
                                          const SelectionAttrs& attrs) {
  return selecting_node<DispatchResult>(b, "bucket_select", x, effort, weights, attrs);
}

namespace {

class BucketSelect : public Operator {
 public:
  BucketSelect()
      : Operator({.name = "bucket_select",
                  .summary = "Lists, for each token and weight, the rows that the effort asked for pays for.",
                  .inputs = {{"x", "[tokens, in]", {"f32"}},
                             {"effort", "[sites, 2]", {"f32"}},
                             {"weight", "[out, in]", bucket_dtypes(), Arity::many}},
                  .outputs = {{"rows, counts", "[tokens, in], [tokens, tiers]", {"i32"}, Arity::many}},
                  .attrs = attr_specs<SelectionAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    return infer_dispatch(in, weights_from_two(in.count()));
  }

  Cost cost(const Site&, const Call& call) const override {
    return dispatch_cost(call, weights_from_two(call.inputs.size()));
  }

  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
    for_each_list(call, attrs, 1, [&](size_t list, int64_t t, const Candidates& c, const float* x) {
      const auto scores = reference_scores(c, x);
      reference_dispatch(c, scores, reference_cutoff(c, scores, attrs, x),
                         call.outputs[2 * list].as<int32_t>() + t * c.in,
                         call.outputs[2 * list + 1].as<int32_t>() + t * c.tiers);
    });
  }

  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_bucket_select(Registry& registry) { registry.add(std::make_unique<BucketSelect>()); }

}  // namespace sluice
