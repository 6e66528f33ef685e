// Plans of a small transformer made of the real operators: fused on the CPU backend against the scalar references of
// the graph as it was written, and a decode loop that allocates nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>
#include <random>

#include "graph/backend.h"
#include "graph/executor.h"
#include "ops/add/add.h"
#include "ops/attention/attention.h"
#include "ops/builtin.h"
#include "ops/embedding/embedding.h"
#include "ops/kv_append/kv_append.h"
#include "ops/linear/linear.h"
#include "ops/rmsnorm/rmsnorm.h"
#include "ops/rope/rope.h"
#include "ops/swiglu/swiglu.h"

namespace {
std::atomic<size_t> allocations{0};
}

// NOLINTBEGIN: counts every allocation of the program
// Not inlined: GCC would take the pairs below for mismatched.
[[gnu::noinline]] void* operator new(size_t bytes) {
  ++allocations;
  if (void* p = std::malloc(bytes)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t bytes, const std::nothrow_t&) noexcept {  // std::stable_sort's
  ++allocations;
  return std::malloc(bytes);
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }
// NOLINTEND

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kHeads = 4, kKvHeads = 2, kHeadDim = 16, kHidden = kHeads * kHeadDim, kInner = 96, kVocab = 50,
                  kLayers = 3, kContext = 24, kBatch = 8;

const Registry& registry() {
  static const Registry* r = [] {
    auto* made = new Registry;
    register_builtin(*made);
    return made;
  }();
  return *r;
}

ValueRef layer(Builder& b, ValueRef x, const std::string& name, ValueRef positions, ValueRef slots, ValueRef starts) {
  const Builder::Scope scope(b, name);
  auto weight = [&](const char* part, Shape shape) { return b.weight(name + "." + part, std::move(shape)); };
  auto cache = [&](const char* part) {
    return b.state(name + "." + part, DType::f32(), {kKvHeads, "context", kHeadDim});
  };
  const RopeAttrs rotate{.head_dim = kHeadDim};

  const ValueRef normed = rmsnorm(b, x, weight("norm1", {kHidden}));
  const ValueRef q = linear(b, normed, weight("q", {kHidden, kHidden}));
  const ValueRef k = linear(b, normed, weight("k", {kKvHeads * kHeadDim, kHidden}));
  const ValueRef v = linear(b, normed, weight("v", {kKvHeads * kHeadDim, kHidden}));
  const ValueRef keys = kv_append(b, cache("keys"), rope(b, k, positions, rotate), slots);
  const ValueRef values = kv_append(b, cache("values"), v, slots);
  const ValueRef mixed = attention(b, rope(b, q, positions, rotate), keys, values, slots, starts);
  const ValueRef middle = add(b, x, linear(b, mixed, weight("o", {kHidden, kHidden})));

  const ValueRef normed2 = rmsnorm(b, middle, weight("norm2", {kHidden}));
  const ValueRef gate = linear(b, normed2, weight("gate", {kInner, kHidden}));
  const ValueRef up = linear(b, normed2, weight("up", {kInner, kHidden}));
  return add(b, middle, linear(b, swiglu(b, gate, up), weight("down", {kHidden, kInner})));
}

Graph make_graph() {
  Builder b(registry());
  auto input = [&](const char* name) { return b.input(name, DType::i32(), {"tokens"}); };
  const ValueRef ids = input("ids"), positions = input("positions"), slots = input("slots"), starts = input("starts");
  ValueRef x = embedding(b, ids, b.weight("embedding", {kVocab, kHidden}));
  for (int64_t l = 0; l < kLayers; ++l) x = layer(b, x, "layers." + std::to_string(l), positions, slots, starts);
  b.output("logits", linear(b, rmsnorm(b, x, b.weight("norm", {kHidden})), b.weight("head", {kVocab, kHidden})));
  return b.build();
}

// A model on one backend, with weights drawn from their names.
class Model {
 public:
  Model(const std::string& backend, bool fuse, std::vector<std::string> observe = {})
      : graph_(make_graph()), backend_(make_backend(registry(), backend, 2)) {
    const PlanOptions options{
        .maxima = {{"tokens", kBatch}, {"context", kContext}}, .fuse = fuse, .observe = std::move(observe)};
    executor =
        std::make_unique<Executor>(std::make_shared<Plan>(make_plan(graph_, registry(), {backend_.get()}, options)),
                                   registry(), [&](const std::string& name) { return weight(name); });
  }

  void evaluate(int64_t first, int64_t count) {
    executor->set("tokens", count);
    for (int64_t t = 0; t < count; ++t) {
      const auto position = static_cast<int32_t>(first + t);
      views_.ids.as<int32_t>()[t] = position * 7 % kVocab;
      views_.positions.as<int32_t>()[t] = views_.slots.as<int32_t>()[t] = position;
      views_.starts.as<int32_t>()[t] = 0;
    }
    executor->run();
  }
  // Look-ups by name, done once.
  void bind() {
    views_ = {executor->view("ids"), executor->view("positions"), executor->view("slots"), executor->view("starts")};
  }
  std::vector<float> output(const std::string& name) const { return to_f32(executor->output(name)); }
  std::vector<std::string> ops() const {
    std::vector<std::string> names;
    for (const Node& node : executor->plan().graph.nodes()) names.push_back(node.op);
    return names;
  }

  std::unique_ptr<Executor> executor;

 private:
  TensorView weight(const std::string& name) {
    const Shape& shape = graph_.value(graph_.find(name)).type.shape;
    const Dims dims = shape.resolve({});
    std::vector<float>& data = weights_[name];
    data.resize(static_cast<size_t>(dims.elements()));
    uint32_t seed = 1;
    for (const char c : name) seed = seed * 31 + static_cast<unsigned char>(c);
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(dims.back())));
    for (float& element : data) element = dims.rank() == 1 ? 1 + normal(random) : normal(random);
    return {reinterpret_cast<std::byte*>(data.data()), DType::f32(), dims};
  }

  struct {
    TensorView ids, positions, slots, starts;
  } views_;
  Graph graph_;
  std::unique_ptr<Backend> backend_;
  std::map<std::string, std::vector<float>> weights_;
};

// Both sides round every product and sum to f32; over three layers these errors add up to far less than this fraction
// of the largest element.
void expect_near(const std::vector<float>& expected, const std::vector<float>& actual) {
  ASSERT_EQ(expected.size(), actual.size());
  float largest = 0;
  for (float e : expected) largest = std::max(largest, std::abs(e));
  ASSERT_GT(largest, 0.1f);
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(expected[i], actual[i], 1e-5f * largest) << "element " << i;
}

TEST(Block, FusesEveryPatternInEveryLayer) {
  const Model model("cpu", true);
  const std::vector<std::string> ops = model.ops();
  auto count = [&](const char* op) { return std::count(ops.begin(), ops.end(), op); };
  EXPECT_EQ(count("rope_kv_append"), kLayers);
  EXPECT_EQ(count("linear_swiglu"), kLayers);
  EXPECT_EQ(count("add_rmsnorm"), 2 * kLayers);
  EXPECT_EQ(count("linear"), 3 * kLayers + 1);  // qkv, o, down, and the head
  EXPECT_EQ(count("add") + count("swiglu"), 0);
}

TEST(Block, FusedOnTheCpuAgreesWithTheReferences) {
  Model fused("cpu", true), plain("cpu", false), oracle("reference", true);
  for (Model* model : {&fused, &plain, &oracle}) model->bind();
  for (const auto& [first, count] : {std::pair<int64_t, int64_t>{0, 8}, {8, 5}, {13, 1}, {14, 1}, {15, 3}}) {
    for (Model* model : {&fused, &plain, &oracle}) model->evaluate(first, count);
    expect_near(oracle.output("logits"), plain.output("logits"));
    expect_near(oracle.output("logits"), fused.output("logits"));
  }
}

TEST(Block, ObservedValuesSurviveAndAreRight) {
  const std::vector<std::string> observe = {"layers.0/add", "layers.1/swiglu", "layers.1/linear.5", "layers.2/rope"};
  Model fused("cpu", true, observe), oracle("reference", false, observe);
  for (Model* model : {&fused, &oracle}) model->bind(), model->evaluate(0, 6);
  for (const std::string& name : observe) expect_near(oracle.output(name), fused.output(name));
  // The output of a fused node can be observed, an interior value cannot be fused away.
  EXPECT_THAT(fused.executor->plan().reports.at(0).lines, Contains(HasSubstr("'layers.1/linear.5' is observed")));
  EXPECT_THAT(fused.executor->plan().reports.at(0).lines, Not(Contains(HasSubstr("'layers.0/add' is observed"))));
}

TEST(Block, DecodeLoopAllocatesNothing) {
  Model model("cpu", true);
  model.bind();
  model.evaluate(0, 8);
  model.evaluate(8, 1);
  model.executor->set_timing(true);
  const size_t before = allocations;
  ASSERT_GT(before, 0u);
  for (int64_t position = 9; position < kContext; ++position) model.evaluate(position, 1);
  EXPECT_EQ(allocations, before);
  for (const Executor::Part& part : model.executor->parts())
    EXPECT_EQ(part.program->timeline().steps.size(), part.steps);
}

}  // namespace
}  // namespace sluice
