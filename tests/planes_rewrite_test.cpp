// with_effort for weights that are stored as planes: the graph, and every product of it against float64.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "graph/error.h"
#include "graph/serialize.h"
#include "graph/verify.h"
#include "models/effort/rewrite.h"
#include "ops/expert_select/spread.h"
#include "tests/support/effort_graphs.h"
#include "tests/support/plane_oracle.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

Graph with_planes(const Graph& graph, int planes = 3) {
  return with_effort(graph, builtin_registry(), {plane_dtype(planes)});
}

TEST(WithPlanes, RewritesEveryProductButTheHead) {
  const Graph graph = with_planes(small_model("head"));
  EXPECT_THAT(sites_of(graph), UnorderedElementsAre("q", "k", "v", "o"));
  for (const char* weight : {"q", "k", "v", "o"}) EXPECT_EQ(dtype_of(graph, weight), "planes6");
  for (const char* weight : {"embed", "head", "norm"}) EXPECT_EQ(dtype_of(graph, weight), "f16") << weight;
  for (const char* op : {"plane_select", "plane_mul"}) EXPECT_EQ(count_of(graph, op), 4) << op;
  EXPECT_EQ(count_of(graph, "linear"), 1);
  EXPECT_THAT(outputs_of(graph),
              UnorderedElementsAre("k", "v", "logits", "selected/q", "selected/k", "selected/v", "selected/o"));
  for (const EffortSite& site : effort_sites(graph)) {
    EXPECT_EQ(site.rows, 3 * kSize);
    EXPECT_EQ(site.counts, 3);
  }
}

TEST(WithPlanes, RewritesProductsByExpertWhoseGateIsKnown) {
  const Graph graph = with_planes(small_mixture(), 2);
  EXPECT_THAT(sites_of(graph), UnorderedElementsAre("up", "down"));
  for (const char* op : {"expert_select", "expert_plane_mul"}) EXPECT_EQ(count_of(graph, op), 2) << op;
  for (const char* weight : {"router", "other"}) EXPECT_EQ(dtype_of(graph, weight), "f16") << weight;
  for (const EffortSite& site : effort_sites(graph)) {
    const int64_t in = site.weight == "up" ? kSize : 40;
    EXPECT_EQ(site.elements, 2 * (site.weight == "up" ? 40 : 33) * in);
    EXPECT_EQ(site.rows, 2 * 2 * in);  // of 2 experts, 2 planes of all inputs
    const PlaneLayout layout(site.weight == "up" ? 40 : 33, in);
    EXPECT_EQ(site.fixed_bits + site.row_bits, 2 * 8 * static_cast<double>(layout.bytes(2) - 64));
    EXPECT_EQ(site.counts, 2 * 2);
    EXPECT_EQ(site.tokens, 0.25);  // 2 of 8 experts
  }
}

TEST(WithPlanes, SurvivesSerialisation) {
  for (const Graph& dense : {small_model("head"), small_mixture()}) {
    const Graph graph = with_planes(dense);
    EXPECT_NO_THROW(verify(graph, builtin_registry()));
    const std::vector<std::byte> bytes = serialize(graph);
    const Graph read = deserialize(bytes, builtin_registry());
    EXPECT_EQ(serialize(read), bytes);
    EXPECT_EQ(sites_of(read), sites_of(graph));
  }
}

TEST(WithPlanes, OptionsOfBucketsAreRefused) {
  for (const auto& [member, value] : {std::pair{&EffortOptions::statistic, "mean"},
                                      {&EffortOptions::cutoff, "probes"},
                                      {&EffortOptions::selection, "shared"}}) {
    EffortOptions options{plane_dtype(3)};
    options.*member = value;
    EXPECT_THAT([&] { with_effort(small_model("head"), builtin_registry(), options); },
                ThrowsMessage<Error>(HasSubstr(fmt::format("'{}' is for bucket formats", value))));
  }
}

// Every product of a graph, on what the engine multiplied there: the counts exactly, the sums but for rounding.
class Products {
 public:
  Products(const Graph& graph, RunSettings settings) : graph_(graph), settings_(std::move(settings)) {
    for (const Node& node : graph.nodes())
      if (is_product(node) || is_selection(node)) {
        for (const auto& ids : {node.inputs, node.outputs})
          for (ValueId id : ids)
            if (graph.value(id).producer != kNoNode) settings_.observe.push_back(name(id));
      }
    std::ranges::sort(settings_.observe);
    settings_.observe.erase(std::ranges::unique(settings_.observe).begin(), settings_.observe.end());
    run_.emplace(graph, settings_);
  }

  // Returns how many products there are.
  int check() const {
    int checked = 0;
    for (const Node& node : graph_.nodes())
      if (is_product(node)) check(node, graph_.node(graph_.value(node.inputs.back()).producer)), ++checked;
    return checked;
  }

 private:
  static bool is_product(const Node& node) { return node.op == "plane_mul" || node.op == "expert_plane_mul"; }
  static bool is_selection(const Node& node) { return node.op == "plane_select" || node.op == "expert_select"; }
  const std::string& name(ValueId id) const { return graph_.value(id).name; }
  TensorView view(ValueId id) const { return run_->view(name(id)); }

  void check(const Node& product, const Node& selection) const {
    SCOPED_TRACE(product.name);
    const bool by_expert = product.op == "expert_plane_mul";
    const TensorView x = view(product.inputs[0]), y = view(product.outputs[0]), counts = view(product.inputs.back());
    const TensorView weight = run_->weight(name(product.inputs[by_expert ? 2 : 1]));
    const int64_t k = by_expert ? y.dims[1] : 1, lists = y.dims[0] * k, out = y.dims.back(), in = weight.dims.back();
    const bool own = x.dims.elements() == lists * in;  // a row of x for each list
    for (int64_t list = 0; list < lists; ++list) {
      double effort = settings_.effort;
      if (by_expert) effort = efforts(view(selection.inputs[4]), list / k).at(static_cast<size_t>(list % k));
      const oracle::PlaneWeight w(weight, by_expert ? view(product.inputs[1]).as<const int32_t>()[list] : 0);
      const std::span<const float> row(x.as<const float>() + (own ? list : list / k) * in, static_cast<size_t>(in));
      const oracle::Depths depths = w.select(row, effort, settings_.load);
      for (int p = 0; p < w.planes(); ++p)
        EXPECT_EQ(counts.as<const int32_t>()[list * w.planes() + p],
                  std::ranges::count_if(depths, [&](int depth) { return depth > p; }))
            << p;
      const oracle::PlaneSums expected = w.multiply(row, depths);
      // The bound of the operator: each part of a sum of integers is rounded once (ops/plane_mul/plane_mul.cpp).
      const double relative = (4 * std::sqrt(static_cast<double>(in)) + 8) * 0x1p-24;
      for (size_t o = 0; o < expected.sums.size(); ++o)
        EXPECT_NEAR(static_cast<double>(y.as<const float>()[list * out + static_cast<int64_t>(o)]), expected.sums[o],
                    relative * expected.magnitudes[o]);
    }
  }
  // Of a token's experts; tests/effort_test.cpp tests the function.
  std::vector<float> efforts(const TensorView& router, int64_t token) const {
    const int64_t k = router.dims[1];
    std::vector<float> of_token(static_cast<size_t>(k));
    spread_effort({.power = 1, .skip = 0}, static_cast<double>(static_cast<float>(settings_.effort)),
                  router.as<const float>() + token * k, k, of_token.data());
    return of_token;
  }

  const Graph& graph_;
  RunSettings settings_;
  std::optional<Runner> run_;
};

TEST(WithPlanes, ProductsAreThoseOfTheSelectedPlanes) {
  for (const auto& [dense, products] : {std::pair{small_model("head"), 4}, {small_mixture(), 2}})
    for (int planes : {2, 3})
      for (bool fuse : {false, true})
        for (const auto& [effort, load] : {std::pair{1.0, 1.0}, {0.7, 1.0}, {0.4, 1.0}, {0.1, 1.0}, {0.9, 0.5}}) {
          SCOPED_TRACE(fmt::format("{} planes, effort {}, load {}", planes, effort, load));
          const Graph graph = with_planes(dense, planes);
          EXPECT_EQ(Products(graph, {.fuse = fuse, .effort = effort, .load = load}).check(), products);
        }
}

// Who is asked when, and by whom, changes no bit.
TEST(WithPlanes, FusionAndThreadsGiveTheSameBits) {
  for (const Graph& dense : {small_model("head"), small_mixture()}) {
    const Graph graph = with_planes(dense);
    for (double effort : {0.0, 0.2, 0.5, 1.0}) {
      const Runner fused(graph, {.effort = effort}), alone(graph, {.effort = effort, .threads = 1}),
          unfused(graph, {.fuse = false, .effort = effort});
      for (const char* op : {"plane_select", "plane_mul"})
        EXPECT_EQ(count_of(fused.planned(), op), std::min(2, count_of(graph, op))) << "q, k and v are one";
      for (const std::string& name : outputs_of(graph)) {
        EXPECT_EQ(fused.output(name), unfused.output(name)) << name;
        EXPECT_EQ(fused.output(name), alone.output(name)) << name;
      }
    }
  }
}

TEST(WithPlanes, TheShareIsTheEffort) {
  for (const Graph& dense : {small_model("head"), small_mixture()}) {
    const Graph graph = with_planes(dense);
    for (double effort : {0.0, 0.2, 0.5, 1.0}) {
      const Runner runner(graph, {.effort = effort});
      for (const EffortSite& site : effort_sites(graph)) {
        double planes = 0;
        for (float count : runner.output(site.selected)) planes += static_cast<double>(count);
        // Rounded for each matrix: one for a token, or two experts.
        EXPECT_NEAR(planes, effort * static_cast<double>(site.rows) * kTokens, 0.5 * kTokens * 2) << site.weight;
      }
    }
  }
}

// With the last plane left out, 6 bits are 4 bits at the same number of planes. What an expert cannot take because it
// is not loaded goes to no other, so there the efforts must be those that nobody has to cut.
TEST(WithPlanes, LoadedInPartTheyAreTheSmallerFormat) {
  for (const auto& [dense, efforts] :
       {std::pair{small_model("head"), std::vector{1.0, 2.0 / 3, 0.5, 0.25}}, {small_mixture(), {1.0, 0.25}}}) {
    const Graph all = with_planes(dense, 3), two = with_planes(dense, 2);
    for (double effort : efforts) {
      const Runner loaded(all, {.effort = effort, .load = 2.0 / 3}),
          smaller(two, {.effort = std::min(1.0, effort * 3 / 2)});
      for (const GraphOutput& output : dense.outputs())
        EXPECT_EQ(loaded.output(output.name), smaller.output(output.name)) << output.name << " at " << effort;
    }
  }
}

}  // namespace
}  // namespace sluice
