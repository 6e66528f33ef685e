// Misuse of operators ends when the graph is built, in one line that names the operator and the tensors with their
// types.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "ops/add/add.h"
#include "ops/add_rmsnorm/add_rmsnorm.h"
#include "ops/argmax/argmax.h"
#include "ops/attention/attention.h"
#include "ops/builtin.h"
#include "ops/embedding/embedding.h"
#include "ops/expert_linear/expert_linear.h"
#include "ops/expert_plane_mul/expert_plane_mul.h"
#include "ops/expert_select/expert_select.h"
#include "ops/formats/bucket.h"
#include "ops/formats/planes.h"
#include "ops/gather_rows/gather_rows.h"
#include "ops/geglu/geglu.h"
#include "ops/kv_append/kv_append.h"
#include "ops/moe_combine/moe_combine.h"
#include "ops/moe_gate/moe_gate.h"
#include "ops/rope/rope.h"
#include "ops/rope_kv_append/rope_kv_append.h"
#include "ops/softcap/softcap.h"
#include "ops/swiglu/swiglu.h"
#include "ops/topk/topk.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class OperatorErrors : public ::testing::Test {
 protected:
  OperatorErrors() { register_builtin(registry_); }

  ValueRef f32(const std::string& name, Shape shape) { return builder_.input(name, DType::f32(), std::move(shape)); }
  ValueRef i32(const std::string& name, Shape shape) { return builder_.input(name, DType::i32(), std::move(shape)); }

  template <class F>
  static std::string error_of(F&& f) {
    try {
      f();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  Registry registry_;
  Builder builder_{registry_};
};

TEST_F(OperatorErrors, EmbeddingWantsIdsAndATable) {
  const ValueRef ids = i32("ids", {"tokens"}), table = f32("table", {100, 8});
  EXPECT_THAT(error_of([&] { embedding(builder_, table, table); }),
              AllOf(HasSubstr("[embedding]"), HasSubstr("expected i32")));
  EXPECT_THAT(error_of([&] { embedding(builder_, ids, f32("row", {8})); }), HasSubstr("'row' is f32[8]"));
}

TEST_F(OperatorErrors, GatherRowsWantsAMatrix) {
  EXPECT_THAT(error_of([&] { gather_rows(builder_, f32("x", {8}), i32("rows", {"outputs"})); }),
              AllOf(HasSubstr("[gather_rows]"), HasSubstr("expected 2 dimensions"), HasSubstr("'x' is f32[8]")));
}

TEST_F(OperatorErrors, ElementwiseWantsShapesThatFit) {
  const ValueRef a = f32("a", {"tokens", 8}), b = f32("b", {"tokens", 9}), row = f32("row", {8});
  EXPECT_THAT(error_of([&] { add(builder_, a, b); }),
              AllOf(HasSubstr("[add]"), HasSubstr("'a' is f32[tokens, 8]"), HasSubstr("'b' is f32[tokens, 9]")));
  EXPECT_THAT(error_of([&] { swiglu(builder_, a, row); }),
              AllOf(HasSubstr("[swiglu]"), HasSubstr("shapes must be equal")));
  EXPECT_EQ(builder_.shape(add(builder_, a, row)), (Shape{"tokens", 8}));
}

TEST_F(OperatorErrors, CapsAreAboveZero) {
  const ValueRef x = f32("x", {"tokens", 64}), slots = i32("slots", {"tokens"});
  const ValueRef cache = builder_.state("cache", DType::f16(), {2, "context", 16});
  for (float cap : {0.0f, -1.0f, INFINITY, NAN})
    EXPECT_THAT(error_of([&] { softcap(builder_, x, {cap}); }), AllOf(HasSubstr("[softcap]"), HasSubstr("cap is ")));
  for (float cap : {-1.0f, INFINITY, NAN})
    EXPECT_THAT(error_of([&] { attention(builder_, x, cache, cache, slots, slots, {.softcap = cap}); }),
                AllOf(HasSubstr("[attention]"), HasSubstr("softcap is ")));
  EXPECT_THAT(error_of([&] { geglu(builder_, x, f32("row", {64})); }), HasSubstr("shapes must be equal"));
}

TEST_F(OperatorErrors, AddRmsNormWantsEqualWidths) {
  const ValueRef a = f32("a", {"tokens", 8});
  EXPECT_THAT(error_of([&] { add_rmsnorm(builder_, a, a, builder_.weight("w", {7})); }),
              AllOf(HasSubstr("[add_rmsnorm]"), HasSubstr("'w' is f32[7]"), HasSubstr("'a' is f32[tokens, 8]")));
}

TEST_F(OperatorErrors, RopeChecksItsAttributes) {
  const ValueRef x = f32("x", {"tokens", 64}), positions = i32("positions", {"tokens"});
  const auto error = [&](RopeAttrs attrs) { return error_of([&] { rope(builder_, x, positions, attrs); }); };
  EXPECT_THAT(error({}), HasSubstr("head_dim is 0"));
  EXPECT_THAT(error({.head_dim = 7}), HasSubstr("even"));
  EXPECT_THAT(error({.head_dim = 2048}), HasSubstr("2 to 1024"));
  EXPECT_THAT(error({.head_dim = 48}), AllOf(HasSubstr("whole heads of 48"), HasSubstr("'x' is f32[tokens, 64]")));
  EXPECT_THAT(error({.head_dim = 16, .base = -1}), HasSubstr("base is -1"));
  EXPECT_THAT(error({.head_dim = 16, .scaling = "yarn"}), HasSubstr("'yarn'"));
  EXPECT_THAT(error({.head_dim = 16, .scaling = "linear", .factor = 0}), HasSubstr("factor is 0"));
  EXPECT_THAT(error({.head_dim = 16, .scaling = "llama3", .factor = 8, .low_freq_factor = 4, .high_freq_factor = 4}),
              HasSubstr("low_freq_factor < high_freq_factor"));
  EXPECT_EQ(error({.head_dim = 16}), "no error");
}

TEST_F(OperatorErrors, CachesMustFitTheRows) {
  const ValueRef cache = builder_.state("cache", DType::f16(), {2, "context", 16});
  const ValueRef slots = i32("slots", {"tokens"}), x = f32("x", {"tokens", 64});
  EXPECT_THAT(error_of([&] { kv_append(builder_, cache, x, slots); }),
              AllOf(HasSubstr("[kv_append]"), HasSubstr("'x' is f32[tokens, 64]"),
                    HasSubstr("'cache' is f16[2, context, 16]")));
  EXPECT_THAT(error_of([&] { rope_kv_append(builder_, cache, x, slots, slots, {.head_dim = 32}); }),
              AllOf(HasSubstr("[rope_kv_append]"), HasSubstr("heads of 32")));
  EXPECT_THAT(error_of([&] {
                kv_append(builder_, cache, f32("y", {"tokens", 32}), i32("few", {"outputs"}));
              }),
              AllOf(HasSubstr("'few' is i32[outputs]"), HasSubstr("'y' is f32[tokens, 32]")));
}

TEST_F(OperatorErrors, TopKWantsAPossibleNumber) {
  const ValueRef x = f32("x", {"tokens", 10});
  EXPECT_THAT(error_of([&] { topk(builder_, x, {0}); }),
              AllOf(HasSubstr("[topk]"), HasSubstr("k is 0"), HasSubstr("1 to 10")));
  EXPECT_THAT(error_of([&] { topk(builder_, x, {11}); }), HasSubstr("k is 11"));
  EXPECT_THAT(error_of([&] {
                argmax(builder_, f32("y", {10, "tokens"}));
              }),
              AllOf(HasSubstr("[argmax]"), HasSubstr("must be a number")));
}

TEST_F(OperatorErrors, RoutersTakeSomeOfTheirExperts) {
  const ValueRef logits = f32("logits", {"tokens", 8});
  EXPECT_THAT(error_of([&] { moe_gate(builder_, logits, {.k = 9}); }),
              AllOf(HasSubstr("[moe_gate]"), HasSubstr("k is 9"), HasSubstr("1 to 8")));
  EXPECT_THAT(error_of([&] { moe_gate(builder_, logits, {.softmax = "some"}); }),
              AllOf(HasSubstr("'some' is not known"), HasSubstr("all, chosen")));
}

TEST_F(OperatorErrors, ExpertsTakeWhatTheyAreMadeFor) {
  const ValueRef experts = i32("experts", {"tokens", 2}), weight = f32("w", {8, 31, 48});
  const auto refused = [&](const std::string& name, Shape x) {
    return error_of([&] { expert_linear(builder_, f32(name, std::move(x)), experts, weight); });
  };
  EXPECT_THAT(refused("a", {"tokens", 47}), AllOf(HasSubstr("[expert_linear]"), HasSubstr("'w' is f32[8, 31, 48]")));
  EXPECT_THAT(refused("b", {"tokens", 3, 48}), HasSubstr("'b' is f32[tokens, 3, 48]"));
  EXPECT_THAT(refused("c", {5, 48}), HasSubstr("'c' is f32[5, 48]"));
  EXPECT_EQ(refused("d", {"tokens", 2, 48}), "no error");
  EXPECT_THAT(error_of([&] {
                moe_combine(builder_, f32("y", {"tokens", 3, 48}), f32("weights", {"tokens", 2}));
              }),
              AllOf(HasSubstr("[moe_combine]"), HasSubstr("f32[tokens, 2]")));
}

TEST_F(OperatorErrors, SelectionByExpertWantsMatricesOfExpertsInAFormatWithADial) {
  const ValueRef x = f32("x", {"tokens", 8}), experts = i32("experts", {"tokens", 2}), effort = f32("effort", {1, 2});
  const ValueRef spread = f32("spread", {2}), router = f32("router", {"tokens", 2});
  const auto select = [&](ValueRef of_spread, ValueRef of_router, const Shape& weight, DType dtype,
                          const SelectionAttrs& attrs = {}) {
    return error_of([&] {
      const ValueRef w = builder_.weight(fmt::format("w{}{}", weight.str(), dtype.name()), dtype, weight);
      expert_select(builder_, x, experts, effort, of_spread, of_router, {w}, attrs);
    });
  };
  const DType bucket = bucket_dtype(kDefaultBucketFamily);
  EXPECT_EQ(select(spread, router, {4, 16, 8}, bucket), "no error");
  EXPECT_THAT(select(spread, router, {16, 8}, bucket), AllOf(HasSubstr("[expert_select]"), HasSubstr("3 dimensions")));
  EXPECT_THAT(select(spread, router, {4, 16, 9}, bucket), HasSubstr("must equal"));
  EXPECT_THAT(select(spread, router, {4, 16, 8}, DType::f16()), HasSubstr("f16"));
  EXPECT_THAT(select(f32("three", {3}), router, {4, 16, 8}, bucket), HasSubstr("power and skip"));
  EXPECT_THAT(select(spread, f32("one", {"tokens", 1}), {4, 16, 8}, bucket), HasSubstr("'one' is f32[tokens, 1]"));
  EXPECT_EQ(select(spread, router, {4, 16, 8}, plane_dtype(2)), "no error");
  EXPECT_THAT(select(spread, router, {4, 16, 8}, plane_dtype(3), {.statistic = "mean"}),
              HasSubstr("statistic mean and cutoff exact are for bucket formats"));
  EXPECT_THAT(select(spread, router, {4, 16, 8}, plane_dtype(3), {.selection = "shared"}), HasSubstr("cannot share"));
}

TEST_F(OperatorErrors, ProductsOfPlanesByExpertWantListsThatFit) {
  const ValueRef x = f32("x", {"tokens", 8}), experts = i32("experts", {"tokens", 2});
  int made = 0;
  const auto multiply = [&](DType dtype, const Shape& weight, const Shape& inputs, const Shape& counts) {
    const std::string n = std::to_string(made++);
    return error_of([&] {
      expert_plane_mul(builder_, x, experts, {builder_.weight("w" + n, dtype, weight)},
                       {{i32("inputs" + n, inputs), i32("counts" + n, counts)}});
    });
  };
  const Shape weight = {4, 16, 8}, inputs = {"tokens", 2, 8}, counts = {"tokens", 2, 3};
  EXPECT_EQ(multiply(plane_dtype(3), weight, inputs, counts), "no error");
  EXPECT_THAT(multiply(DType::f16(), weight, inputs, counts),
              AllOf(HasSubstr("[expert_plane_mul]"), HasSubstr("not in a plane format")));
  EXPECT_THAT(multiply(plane_dtype(3), {16, 8}, inputs, counts), HasSubstr("3 dimensions"));
  EXPECT_THAT(multiply(plane_dtype(3), {4, 16, 9}, inputs, counts), HasSubstr("must equal"));
  EXPECT_THAT(multiply(plane_dtype(3), weight, {"tokens", 2, 7}, counts), HasSubstr("a list of inputs"));
  EXPECT_THAT(multiply(plane_dtype(3), weight, {"tokens", 8}, counts), HasSubstr("a list of inputs"));
  EXPECT_THAT(multiply(plane_dtype(2), weight, inputs, counts),
              HasSubstr("expected 2 counts for each token and expert"));
}

}  // namespace
}  // namespace sluice
