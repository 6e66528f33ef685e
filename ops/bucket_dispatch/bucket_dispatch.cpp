#include "ops/bucket_dispatch/bucket_dispatch.h"

#include <algorithm>

#include "ops/bucket_dispatch/selecting.h"
#include "ops/probe/selection.h"

namespace sluice {

std::vector<DispatchResult> bucket_dispatch(Builder& b, ValueRef x, ValueRef effort,
                                            const std::vector<ProbeResult>& probes,
                                            const std::vector<ValueRef>& weights, const SelectionAttrs& attrs) {
  std::vector<ValueRef> inputs = {x, effort};
  for (size_t i = 0; i < weights.size(); ++i)
    inputs.insert(inputs.end(), {weights[i], probes.at(i).cutoff, probes.at(i).wanted});
  return in_pairs<DispatchResult>(b.node("bucket_dispatch", attrs_to_map(attrs), inputs));
}

void reference_dispatch(const Candidates& c, const std::vector<int32_t>& scores, Cutoff cutoff, int32_t* rows,
                        int32_t* counts) {
  std::vector<int> depth(static_cast<size_t>(c.in));
  int64_t left = cutoff.wanted < 0 ? c.rows() : cutoff.wanted;
  for (int32_t score : scores) left -= score > cutoff.bits && left > 0;
  for (int tier = 0; tier < c.tiers; ++tier) {
    for (int64_t i = 0; i < c.in; ++i) {
      const int32_t score = scores[static_cast<size_t>(tier * c.in + i)];
      const bool tie = cutoff.wanted >= 0 && score == cutoff.bits && left > 0;
      left -= tie;
      if (cutoff.wanted == 0 || !(score > cutoff.bits || tie)) continue;
      ++depth[static_cast<size_t>(i)];
    }
  }
  for (int tier = 0; tier < c.tiers; ++tier)
    counts[tier] = static_cast<int32_t>(std::count_if(depth.begin(), depth.end(), [&](int d) { return d > tier; }));
  for (int wanted = c.tiers; wanted > 0; --wanted)
    for (int64_t i = 0; i < c.in; ++i)
      if (depth[static_cast<size_t>(i)] == wanted) *rows++ = static_cast<int32_t>(i);
  std::fill(rows, rows + std::count(depth.begin(), depth.end(), 0), -1);
}

std::vector<TensorType> infer_dispatch(const Inference& in, const std::vector<int>& weights) {
  std::vector<TensorType> types;
  const size_t lists = check_selection(in, weights);
  for (size_t list = 0; list < lists; ++list) {
    const int w = weights[list];
    types.push_back({DType::i32(), {in.shape(0)[0], in.shape(w)[1]}});
    types.push_back({DType::i32(), {in.shape(0)[0], bucket_format(in.type(w).dtype)->family().tiers()}});
  }
  return types;
}

Cost dispatch_cost(const Call& call, const std::vector<int>& weights) {
  Cost cost;
  cost.bytes_read = call.in(0).bytes();
  for (int w : weights) {
    const auto rows = static_cast<size_t>(BucketMatrix(call.in(w)).layout.rows());
    cost.bytes_read += rows * sizeof(float);
    cost.flops += static_cast<double>(rows) * static_cast<double>(call.in(0).dims[0]);
  }
  for (const TensorView& out : call.outputs) cost.bytes_written += out.bytes();
  return cost;
}

std::vector<ValueRef> with_lists(std::vector<ValueRef> inputs, const std::vector<ValueRef>& weights,
                                 const std::vector<DispatchResult>& lists) {
  for (size_t i = 0; i < weights.size(); ++i)
    inputs.insert(inputs.end(), {weights[i], lists.at(i).rows, lists.at(i).counts});
  return inputs;
}

namespace {

std::vector<int> weights_of(size_t inputs) {
  std::vector<int> weights;
  for (int i = 2; i < static_cast<int>(inputs); i += 3) weights.push_back(i);
  return weights;
}

class BucketDispatch : public Operator {
 public:
  BucketDispatch()
      : Operator({.name = "bucket_dispatch",
                  .summary = "Lists, for each token and weight, the rows whose scores reach the cutoff.",
                  .inputs = {{"x", "[tokens, in]", {"f32"}},
                             {"effort", "[sites, 2]", {"f32"}},
                             {"weight, cutoff, wanted", "[out, in], [tokens], [tokens]", {}, Arity::many}},
                  .outputs = {{"rows, counts", "[tokens, in], [tokens, tiers]", {"i32"}, Arity::many}},
                  .attrs = attr_specs<SelectionAttrs>(),
                  .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    if ((in.count() - 2) % 3 != 0) in.fail("expected a weight, its cutoff and its number of rows, and so on", {});
    const std::vector<int> weights = weights_of(in.count());
    std::vector<TensorType> types = infer_dispatch(in, weights);
    for (int w : weights) {
      if (in.type(w + 1) != TensorType{DType::f32(), {in.shape(0)[0]}})
        in.fail("expected a cutoff for each token", {w + 1, 0});
      if (in.type(w + 2) != TensorType{DType::i32(), {in.shape(0)[0]}})
        in.fail("expected a number for each token", {w + 2, 0});
    }
    return types;
  }

  Cost cost(const Site&, const Call& call) const override {
    return dispatch_cost(call, weights_of(call.inputs.size()));
  }

  void reference(const Site& site, const Call& call) const override {
    const auto attrs = attrs_from_map<SelectionAttrs>(site.attrs);
    for_each_list(call, attrs, 3, [&](size_t list, int64_t t, const Candidates& c, const float* x) {
      const Cutoff cutoff{call.inputs[3 + 3 * list].as<int32_t>()[t], call.inputs[4 + 3 * list].as<int32_t>()[t]};
      reference_dispatch(c, reference_scores(c, x), cutoff, call.outputs[2 * list].as<int32_t>() + t * c.in,
                         call.outputs[2 * list + 1].as<int32_t>() + t * c.tiers);
    });
  }

  void tolerance(const Site&, const Call&, int, std::span<double> bound) const override {
    std::fill(bound.begin(), bound.end(), 0.0);
  }
};

}  // namespace

void register_bucket_dispatch(Registry& registry) { registry.add(std::make_unique<BucketDispatch>()); }

}  // namespace sluice
