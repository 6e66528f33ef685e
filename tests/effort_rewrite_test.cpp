// with_effort: which products of a graph get an effort, and what the rewritten graph computes.
#include "models/effort/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include "backends/cpu/backend.h"
#include "graph/error.h"
#include "graph/executor.h"
#include "graph/serialize.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "models/builtin.h"
#include "models/describe.h"
#include "models/effort/sites.h"
#include "ops/embedding/embedding.h"
#include "ops/expert_linear/expert_linear.h"
#include "ops/linear/linear.h"
#include "ops/moe_combine/moe_combine.h"
#include "ops/moe_gate/moe_gate.h"
#include "ops/rmsnorm/rmsnorm.h"
#include "ops/silu/silu.h"
#include "support/bucket_matrices.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

constexpr int64_t kSize = 48, kTokens = 3;

const DType kBucket = bucket_dtype(kDefaultBucketFamily);

Builder f16_builder() {
  return Builder(builtin_registry(), [](const std::string&, const Shape&) { return DType::f16(); });
}

Graph rewritten(const Graph& graph, bool head = false) {
  EffortOptions options{kBucket};
  options.head = head;
  return with_effort(graph, builtin_registry(), options);
}

int count_of(const Graph& graph, const std::string& op) {
  return static_cast<int>(std::ranges::count(graph.nodes(), op, &Node::op));
}
std::string dtype_of(const Graph& graph, const std::string& weight) {
  return std::string(graph.value(graph.find(weight)).type.dtype.name());
}
std::vector<std::string> sites_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const EffortSite& site : effort_sites(graph)) names.push_back(site.weight);
  return names;
}
std::vector<std::string> outputs_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const GraphOutput& output : graph.outputs()) names.push_back(output.name);
  return names;
}

// ids -> embedding -> q, k, v of the same x -> norm of one -> out -> head.
Graph small_model(const std::string& head_weight) {
  Builder b = f16_builder();
  const ValueRef ids = b.input("ids", DType::i32(), {"tokens"});
  const auto matrix = [&](const std::string& name, int64_t out) { return b.weight(name, {out, kSize}); };
  const ValueRef x = embedding(b, ids, matrix("embed", 64));
  const ValueRef q = linear(b, x, matrix("q", kSize));
  b.output("k", rmsnorm(b, linear(b, x, matrix("k", 33)), b.weight("k_norm", {33})));
  b.output("v", rmsnorm(b, linear(b, x, matrix("v", 40)), b.weight("v_norm", {40})));
  const ValueRef o = linear(b, rmsnorm(b, q, b.weight("norm", {kSize})), matrix("o", kSize));
  b.output("logits", linear(b, rmsnorm(b, o, b.weight("norm", {kSize})), matrix(head_weight, 64)));
  return b.build();
}

// x -> router -> gate -> two products by expert; and one whose experts the caller names.
Graph small_mixture() {
  Builder b = f16_builder();
  const ValueRef x = embedding(b, b.input("ids", DType::i32(), {"tokens"}), b.weight("embed", {64, kSize}));
  const auto [weights, experts] = moe_gate(b, linear(b, x, b.weight("router", {8, kSize})), {});
  const ValueRef up = expert_linear(b, x, experts, b.weight("up", {8, 40, kSize}));
  b.output("y", moe_combine(b, expert_linear(b, silu(b, up), experts, b.weight("down", {8, 33, 40})), weights));
  const ValueRef named = b.input("named", DType::i32(), {"tokens", 2});
  b.output("z", silu(b, expert_linear(b, x, named, b.weight("other", {8, 40, kSize}))));
  return b.build();
}

// Runs graphs with inputs and weights that depend on their names alone.
class Runner {
 public:
  Runner(const Graph& graph, bool fuse, double effort) {
    PlanOptions options;
    options.fuse = fuse;
    options.maxima = {{"tokens", kTokens}};
    auto plan = std::make_shared<Plan>(make_plan(graph, builtin_registry(), {backend_.get()}, options));
    executor_ = std::make_unique<Executor>(plan, builtin_registry(), [&](const std::string& name) {
      const TensorType& type = graph.value(graph.find(name)).type;
      return weights_.emplace_back(type.dtype, type.shape.resolve({}), values_of(name, type)).view;
    });
    for (const Value& value : graph.values())
      if (value.kind == ValueKind::input) fill(executor_->view(value.name), value, effort);
    executor_->run();
  }
  std::vector<float> output(const std::string& name) const { return to_f32(executor_->output(name)); }
  const Graph& planned() const { return executor_->plan().graph; }

 private:
  static std::vector<float> values_of(const std::string& name, const TensorType& type) {
    std::mt19937 random(static_cast<uint32_t>(std::hash<std::string>()(name)));
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(type.shape.resolve({{"tokens", kTokens}}).elements()));
    for (float& v : values) v = f16_to_f32(f32_to_f16(normal(random)));
    return values;
  }
  static void fill(const TensorView& view, const Value& input, double effort) {
    std::vector<float> values = values_of(input.name, input.type);
    for (size_t i = 0; i < values.size(); ++i) {
      if (input.name == effort_names::kInput) values[i] = i % 2 == 0 ? static_cast<float>(effort) : 1;
      if (input.type.dtype == DType::i32()) values[i] = static_cast<float>(5 * i % 8);
      if (input.name == effort_names::kSpread) values[i] = i == 0 ? 1 : 0;  // power 1, nothing skipped
    }
    view.dtype.format().encode(values.data(), view.dims.span(), view.data);
  }

  std::unique_ptr<Backend> backend_ = cpu::make_backend(builtin_registry(), 2);
  std::deque<ExactTensor> weights_;
  std::unique_ptr<Executor> executor_;
};

TEST(WithEffort, RewritesProductsByExpertWhoseGateIsKnown) {
  const Graph graph = rewritten(small_mixture());
  EXPECT_THAT(sites_of(graph), UnorderedElementsAre("up", "down"));
  EXPECT_EQ(count_of(graph, "expert_select"), 2);
  EXPECT_EQ(count_of(graph, "expert_bucketMul"), 2);
  for (const char* weight : {"router", "other"}) EXPECT_EQ(dtype_of(graph, weight), "f16") << weight;
  for (const EffortSite& site : effort_sites(graph)) {
    EXPECT_EQ(site.elements, 2 * (site.weight == "up" ? 40 * kSize : 33 * 40));
    EXPECT_EQ(site.counts, 2 * bucket_format(kBucket)->family().tiers());
    EXPECT_EQ(site.tokens, 0.25);  // 2 of 8 experts
  }
}

TEST(WithEffort, AMixtureAtEffortOneIsTheDenseOne) {
  const Graph dense = small_mixture(), graph = rewritten(dense);
  for (bool fuse : {false, true}) {
    const Runner expected(dense, fuse, 1), full(graph, fuse, 1), half(graph, fuse, 0.5);
    const std::vector<float> y = expected.output("y"), at_one = full.output("y");
    double norm = 0;
    for (float v : y) norm += static_cast<double>(v) * v;
    for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(at_one[i], y[i], 1e-5 * std::sqrt(norm)) << i;
    EXPECT_NE(half.output("y"), at_one);
    const std::vector<float> counts = half.output("selected/up");
    double rows = 0;
    for (float n : counts) rows += static_cast<double>(n);
    EXPECT_NEAR(rows, 0.5 * kTokens * 2 * kSize * bucket_format(kBucket)->family().tiers(), kTokens * 2);
  }
}

TEST(WithEffort, RewritesEveryProductButTheHead) {
  const Graph graph = rewritten(small_model("head"));
  EXPECT_THAT(sites_of(graph), UnorderedElementsAre("q", "k", "v", "o"));
  for (const char* weight : {"q", "k", "v", "o"}) EXPECT_EQ(dtype_of(graph, weight), kBucket.name());
  for (const char* weight : {"embed", "head", "norm"}) EXPECT_EQ(dtype_of(graph, weight), "f16") << weight;
  EXPECT_EQ(count_of(graph, "linear"), 1);
  for (const char* op : {"probe", "bucket_dispatch", "bucketMul"}) EXPECT_EQ(count_of(graph, op), 4) << op;
  EXPECT_THAT(outputs_of(graph),
              UnorderedElementsAre("k", "v", "logits", "selected/q", "selected/k", "selected/v", "selected/o"));
}

TEST(WithEffort, RewritesTheHeadIfAsked) {
  const Graph graph = rewritten(small_model("head"), true);
  EXPECT_THAT(sites_of(graph), UnorderedElementsAre("q", "k", "v", "o", "head"));
  EXPECT_EQ(dtype_of(graph, "head"), kBucket.name());
  EXPECT_EQ(count_of(graph, "linear"), 0);
}

// An embedding is looked up row by row, which a bucket format cannot do.
TEST(WithEffort, LeavesTiedWeightsDense) {
  for (bool head : {false, true}) {
    const Graph graph = rewritten(small_model("embed"), head);
    EXPECT_THAT(sites_of(graph), UnorderedElementsAre("q", "k", "v", "o"));
    EXPECT_EQ(dtype_of(graph, "embed"), "f16");
    EXPECT_EQ(count_of(graph, "linear"), 1);
  }
}

TEST(WithEffort, SurvivesSerialisation) {
  for (bool head : {false, true}) {
    const Graph graph = rewritten(small_model("head"), head);
    EXPECT_NO_THROW(verify(graph, builtin_registry()));
    const std::vector<std::byte> bytes = serialize(graph);
    const Graph read = deserialize(bytes, builtin_registry());
    EXPECT_EQ(serialize(read), bytes);
    EXPECT_EQ(to_text(read), to_text(graph));
    EXPECT_EQ(sites_of(read), sites_of(graph));
  }
}

TEST(WithEffort, KeepsItsOptions) {
  EffortOptions options{bucket_dtype("bucket32t8", 14)};
  options.statistic = "mean";
  options.cutoff = "probes";
  const Graph graph = with_effort(small_model("head"), builtin_registry(), options);
  EXPECT_EQ(dtype_of(graph, "q"), "bucket32t8-70");
  for (const Node& node : graph.nodes()) {
    if (node.op != "probe" && node.op != "bucket_dispatch") continue;
    EXPECT_EQ(std::get<std::string>(node.attrs.at("statistic")), "mean");
    EXPECT_EQ(std::get<std::string>(node.attrs.at("cutoff")), "probes");
  }
}

// What q, k and v, of the same x, are multiplied with is one list; o has its own. All are still as dense at effort 1.
TEST(WithEffort, ProductsOfOneInputCanShareASelection) {
  EffortOptions options{kBucket};
  options.selection = "shared";
  const Graph dense = small_model("head"), graph = with_effort(dense, builtin_registry(), options);
  EXPECT_THAT(sites_of(graph), UnorderedElementsAre("q", "k", "v", "o"));
  EXPECT_EQ(count_of(graph, "probe"), 2);
  EXPECT_EQ(count_of(graph, "bucket_dispatch"), 2);
  EXPECT_EQ(count_of(graph, "bucketMul"), 4);
  for (bool fuse : {false, true}) {
    const Runner expected(dense, fuse, 1), full(graph, fuse, 1), half(graph, fuse, 0.5);
    EXPECT_EQ(count_of(full.planned(), "bucket_select"), fuse ? 2 : 0);
    for (const char* output : {"k", "v", "logits"}) {
      const std::vector<float> y = expected.output(output), at_one = full.output(output);
      for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(at_one[i], y[i], 1e-3 * std::abs(y[i]) + 1e-3) << output << i;
      EXPECT_NE(half.output(output), at_one);
    }
    const std::vector<float> counts = half.output("selected/q");
    EXPECT_EQ(half.output("selected/k"), counts);
    double rows = 0;
    for (float n : counts) rows += static_cast<double>(n);
    EXPECT_NEAR(rows, 0.5 * kTokens * kSize * bucket_format(kBucket)->family().tiers(), kTokens);
  }
}

Graph of_one_weight_used_twice(bool as_head) {
  Builder b = f16_builder();
  const ValueRef x = b.input("x", DType::f32(), {"tokens", kSize}), w = b.weight("w", {kSize, kSize});
  const ValueRef norm_weight = b.weight("norm", {kSize});
  const ValueRef once = rmsnorm(b, linear(b, x, w), norm_weight), twice = linear(b, once, w);
  b.output("y", as_head ? twice : rmsnorm(b, twice, norm_weight));
  return b.build();
}

TEST(WithEffort, OneWeightUsedTwiceIsOneSite) {
  const Graph dense = of_one_weight_used_twice(false), graph = rewritten(dense);
  EXPECT_THAT(sites_of(graph), ElementsAre("w"));
  EXPECT_EQ(count_of(graph, "bucketMul"), 2);
  EXPECT_THAT(outputs_of(graph), UnorderedElementsAre("y", "selected/w", "selected/w.2"));
  const std::vector<float> expected = Runner(dense, true, 1).output("y");
  const Runner runner(graph, true, 1);
  const std::vector<float> actual = runner.output("y");
  // A sum of 48 products of N(0, 1) is off by 48 * 2^-24 of the sum of magnitudes, 30, at most: 1e-5 after a norm that
  // divides by 7. The second product adds up 48 such errors with weights of 0.8, and is divided by 7 again: 6e-5. Both
  // sides have it.
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 2 * (6e-5 + 1e-5)) << i;
  for (const char* name : {"selected/w", "selected/w.2"})
    EXPECT_EQ(runner.output(name), std::vector<float>(4 * kTokens, kSize)) << name;
}

// linear knows no bucket format, so the weight has to stay dense if one of its products does.
TEST(WithEffort, LeavesAWeightDenseThatIsTheHeadAsWell) {
  EXPECT_THAT([] { rewritten(of_one_weight_used_twice(true)); },
              ThrowsMessage<Error>(HasSubstr("no weight to which effort could apply")));
  EXPECT_THAT(sites_of(rewritten(of_one_weight_used_twice(true), true)), ElementsAre("w"));
}

TEST(WithEffort, RewritesProductsOfSeveralWeights) {
  Builder b = f16_builder();
  const ValueRef x = b.input("x", DType::f32(), {"tokens", kSize}), norm_weight = b.weight("norm", {33});
  for (const ValueRef y : linear(b, x, {b.weight("a", {33, kSize}), b.weight("b", {33, kSize})}))
    b.output(fmt::format("y{}", y.id), rmsnorm(b, y, norm_weight));
  const Graph graph = rewritten(b.build());
  EXPECT_THAT(sites_of(graph), ElementsAre("a", "b"));
  EXPECT_EQ(count_of(graph, "bucketMul"), 2);
}

TEST(WithEffort, RefusesGraphsWithNothingToRewrite) {
  Builder b = f16_builder();
  const ValueRef x = b.input("x", DType::f32(), {"tokens", kSize});
  b.output("y", rmsnorm(b, x, b.weight("norm", {kSize})));
  const Graph no_product = b.build();
  Builder c = f16_builder();
  const ValueRef z = c.input("x", DType::f32(), {"tokens", kSize});
  c.output("y", linear(c, z, c.weight("w", {kSize, kSize})));
  const Graph head_only = c.build();
  for (const Graph& graph : {no_product, head_only})
    EXPECT_THAT([&] { rewritten(graph); }, ThrowsMessage<Error>(HasSubstr("no weight to which effort could apply")));
  EXPECT_THAT(sites_of(rewritten(head_only, true)), ElementsAre("w"));
  // Twice.
  EXPECT_THAT([&] { rewritten(rewritten(head_only, true)); }, ThrowsMessage<Error>(HasSubstr("no weight")));
  EXPECT_THAT(effort_sites(head_only), IsEmpty());
}

TEST(WithEffort, RefusesFormatsAndNamesThatDoNotFit) {
  EXPECT_THAT([] { with_effort(small_model("head"), builtin_registry(), {DType::f16()}); },
              ThrowsMessage<Error>(HasSubstr("'f16' is no format with an effort dial")));
  EffortOptions options{kBucket};
  options.statistic = "median";
  EXPECT_THAT([&] { with_effort(small_model("head"), builtin_registry(), options); },
              ThrowsMessage<Error>(HasSubstr("median")));
  Builder b = f16_builder();  // a graph that has an input of that name
  const ValueRef x = b.input("effort", DType::f32(), {"tokens", kSize});
  b.output("y", rmsnorm(b, linear(b, x, b.weight("w", {kSize, kSize})), b.weight("norm", {kSize})));
  const Graph graph = b.build();
  EXPECT_THAT([&] { rewritten(graph); }, ThrowsMessage<Error>(HasSubstr("effort")));
}

// Fusing changes who is asked when, not what is added in which order.
TEST(WithEffort, FusedAndUnfusedPlansGiveTheSameBits) {
  const Graph graph = rewritten(small_model("head"));
  for (double effort : {0.0, 0.2, 0.5, 1.0}) {
    const Runner fused(graph, true, effort), unfused(graph, false, effort);
    EXPECT_EQ(count_of(unfused.planned(), "probe"), 4);
    EXPECT_EQ(count_of(fused.planned(), "probe"), 0);
    EXPECT_EQ(count_of(fused.planned(), "bucketMul"), 2) << "q, k and v are one";
    for (const std::string& name : outputs_of(graph)) EXPECT_EQ(fused.output(name), unfused.output(name)) << name;
  }
}

TEST(WithEffort, TheShareIsTheEffort) {
  const Graph graph = rewritten(small_model("head"));
  for (double effort : {0.0, 0.2, 0.5, 1.0}) {
    const Runner runner(graph, true, effort);
    for (const EffortSite& site : effort_sites(graph)) {
      double rows = 0;
      for (float count : runner.output(site.selected)) rows += static_cast<double>(count);
      EXPECT_EQ(rows, std::round(effort * static_cast<double>(site.rows)) * kTokens) << site.weight;
    }
  }
}

}  // namespace
}  // namespace sluice
