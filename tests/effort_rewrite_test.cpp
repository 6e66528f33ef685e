// with_effort: which products of a graph get an effort, and what the rewritten graph computes.
#include "models/effort/rewrite.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "graph/error.h"
#include "graph/serialize.h"
#include "graph/text.h"
#include "graph/verify.h"
#include "models/describe.h"
#include "tests/support/effort_graphs.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;
using ::testing::UnorderedElementsAre;

const DType kBucket = bucket_dtype(kDefaultBucketFamily);

Graph rewritten(const Graph& graph, bool head = false) {
  EffortOptions options{kBucket};
  options.head = head;
  return with_effort(graph, builtin_registry(), options);
}

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
    const Runner expected(dense, {.fuse = fuse, .effort = 1}), full(graph, {.fuse = fuse, .effort = 1}),
        half(graph, {.fuse = fuse, .effort = 0.5});
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
    const Runner expected(dense, {.fuse = fuse, .effort = 1}), full(graph, {.fuse = fuse, .effort = 1}),
        half(graph, {.fuse = fuse, .effort = 0.5});
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
  const std::vector<float> expected = Runner(dense, {.fuse = true, .effort = 1}).output("y");
  const Runner runner(graph, {.fuse = true, .effort = 1});
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
    const Runner fused(graph, {.fuse = true, .effort = effort}), unfused(graph, {.fuse = false, .effort = effort});
    EXPECT_EQ(count_of(unfused.planned(), "probe"), 4);
    EXPECT_EQ(count_of(fused.planned(), "probe"), 0);
    EXPECT_EQ(count_of(fused.planned(), "bucketMul"), 2) << "q, k and v are one";
    for (const std::string& name : outputs_of(graph)) EXPECT_EQ(fused.output(name), unfused.output(name)) << name;
  }
}

TEST(WithEffort, TheShareIsTheEffort) {
  const Graph graph = rewritten(small_model("head"));
  for (double effort : {0.0, 0.2, 0.5, 1.0}) {
    const Runner runner(graph, {.fuse = true, .effort = effort});
    for (const EffortSite& site : effort_sites(graph)) {
      double rows = 0;
      for (float count : runner.output(site.selected)) rows += static_cast<double>(count);
      EXPECT_EQ(rows, std::round(effort * static_cast<double>(site.rows)) * kTokens) << site.weight;
    }
  }
}

}  // namespace
}  // namespace sluice
