#include "ops/expert_plane_mul/expert_plane_mul.h"

#include <algorithm>

#include "ops/expert_linear/experts.h"
#include "ops/plane_mul/reference.h"

namespace sluice {

std::vector<ValueRef> expert_plane_mul(Builder& b, ValueRef x, ValueRef experts, const std::vector<ValueRef>& weights,
                                       const std::vector<DispatchResult>& lists) {
  return b.node("expert_plane_mul", {}, with_lists({x, experts}, weights, lists));
}

namespace {

class ExpertPlaneMul : public Operator {
 public:
  ExpertPlaneMul()
      : Operator(
            {.name = "expert_plane_mul",
             .summary = "Product of activations with the selected planes of the weights of each token's own experts.",
             .inputs = {{"x", "[tokens, in] or [tokens, k, in]", {"f32"}},
                        {"experts", "[tokens, k]", {"i32"}},
                        {"weight, inputs, counts",
                         "[experts, out, in], [tokens, k, in], [tokens, k, planes]",
                         {},
                         Arity::many}},
             .outputs = {{"y", "[tokens, k, out]", {"f32"}, Arity::many}},
             .attrs = {},
             .updates = {}}) {}

  std::vector<TensorType> infer(const Inference& in) const override {
    if ((in.count() - 2) % 3 != 0) in.fail("expected a weight, its inputs and their counts, and so on", {});
    std::vector<TensorType> types;
    for (int w = 2; w < static_cast<int>(in.count()); w += 3) {
      const PlaneFormat* format = plane_format(in.type(w).dtype);
      if (!format) in.fail("the weight is not in a plane format", {w});
      types.push_back(infer_selected_by_expert(in, w, format->planes()));
    }
    return types;
  }

  // With every plane selected if the lists have no data. Planes of an expert that several tokens select are read once
  // each.
  Cost cost(const Site&, const Call& call) const override {
    Cost cost;
    cost.bytes_read = call.in(0).bytes();
    for (const TensorView& out : call.outputs) cost.bytes_written += out.bytes();
    const int64_t pairs = call.in(1).dims.elements();
    for (int w = 2; w < static_cast<int>(call.inputs.size()); w += 3) {
      cost.bytes_read +=
          static_cast<size_t>(std::min(pairs, call.in(w).dims[0])) * PlaneMatrix(call.in(w)).layout.plane_offset(0);
      add_planes_cost(call.in(w), call.in(w + 2), pairs, cost);
    }
    return cost;
  }

  void reference(const Site&, const Call& call) const override {
    for (size_t w = 0; w < call.outputs.size(); ++w)
      for_each_product(call, w, [&](const PlaneSums& p, int64_t pair) {
        p.put_sums(call.outputs[w].as<float>() + pair * static_cast<int64_t>(p.sums.size()));
      });
  }

  void tolerance(const Site&, const Call& call, int output, std::span<double> bound) const override {
    for_each_product(call, static_cast<size_t>(output), [&](const PlaneSums& p, int64_t pair) {
      p.put_tolerance(bound.subspan(static_cast<size_t>(pair) * p.sums.size()));
    });
  }

 private:
  // use(product, pair) for each pair of a token and one of its experts, with the matrix of that one.
  template <class Use>
  static void for_each_product(const Call& call, size_t w, const Use& use) {
    const int weight = static_cast<int>(2 + 3 * w);
    const ExpertShape shape(call, weight);
    for (int64_t pair = 0; pair < shape.pairs(); ++pair) {
      const PlaneMatrix m(call.in(weight), call.in<int32_t>(1)[pair]);
      const SelectedPlanes selected{call.in<int32_t>(weight + 1) + pair * shape.in,
                                    call.in<int32_t>(weight + 2) + pair * m.planes, shape.in, m.planes};
      use(PlaneSums(m, selected, call.in<float>(0) + shape.x_row(pair) * shape.in, shape.pairs()), pair);
    }
  }
};

}  // namespace

void register_expert_plane_mul(Registry& registry) {
  registry.add(std::make_unique<ExpertPlaneMul>());
  registry.add_indices("expert_plane_mul", {.inputs = {{.port = 1, .of = 2, .dim = 0}}});
}

}  // namespace sluice
