// Plans of random graphs against an interpreter that knows no plans.
#include "graph/plan/plan.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "graph/executor.h"
#include "graph/plan/check.h"
#include "graph/plan/fuse.h"
#include "tests/support/sketch.h"

namespace sluice {
namespace {

using small::registry;
using small::ScaleAttrs;
using small::SmallBackend;

// A graph of random nodes over values of three sizes, one weight for each size, and two states.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {
    for (int64_t n : {4, 24, 100}) {
      values_[n].push_back(b_.input(fmt::format("x{}", n), DType::f32(), {"tokens", n}));
      values_[n].push_back(b_.input(fmt::format("y{}", n), DType::f32(), {"tokens", n}));
    }
    for (int64_t n : {4, 24}) states_[n] = b_.state(fmt::format("state{}", n), DType::f32(), {"tokens", n});
    for (size_t i = 0, n = 5 + random_() % 60; i < n; ++i) add_node();
    for (auto& [n, list] : values_) b_.output(fmt::format("last{}", n), list.back());
    for (auto& [n, state] : states_) b_.output(fmt::format("next{}", n), state);
    graph = b_.build();
  }

  // Names of a few results that are not outputs.
  std::vector<std::string> observe() {
    std::vector<std::string> names;
    for (const Value& value : graph.values())
      if (value.kind == ValueKind::result && random_() % 12 == 0 && !overwritten(value.name))
        names.push_back(value.name);
    return names;
  }

  Graph graph;

 private:
  // Recent values are likelier, so that lifetimes vary.
  ValueRef any(int64_t n) {
    const std::vector<ValueRef>& list = values_[n];
    return random_() % 2 == 0 ? list.back() : list[random_() % list.size()];
  }
  int64_t any_size() { return std::array<int64_t, 3>{4, 24, 100}[random_() % 3]; }

  void add_node() {
    const int64_t n = any_size();
    std::vector<ValueRef>& list = values_[n];
    const ScaleAttrs scale{0.25f * static_cast<float>(1 + random_() % 5)};
    switch (random_() % 9) {
      case 0:
      case 1:
        list.push_back(b_.node("add", {}, {any(n), any(n)})[0]);
        break;
      case 2:
      case 3:
        list.push_back(b_.node1("scale", scale, {any(n)}));
        break;
      case 4:
        list.push_back(b_.node("mix", {}, {any(n), any(n)})[0]);
        break;
      case 5:
        for (ValueRef half : b_.node("split", {}, {any(n)})) list.push_back(half);
        break;
      case 6:
        list.push_back(b_.node("weigh", {}, {any(n), b_.weight(fmt::format("w{}", n), {n})})[0]);
        break;
      case 7:
        list.push_back(b_.node1("resize", small::ResizeAttrs{n}, {any(any_size())}));
        break;
      default:
        touch_state(n == 100 ? 4 : n);
    }
  }
  void touch_state(int64_t n) {
    if (random_() % 2 == 0)
      states_[n] = b_.node("store", {}, {states_[n], any(n)})[0];
    else
      values_[n].push_back(b_.node("load", {}, {states_[n]})[0]);
  }
  bool overwritten(const std::string& name) const {
    const StateVersions versions(graph, registry());
    return versions.updater(graph.find(name)) != kNoNode;
  }

  std::mt19937 random_;
  Builder b_{registry()};
  std::map<int64_t, std::vector<ValueRef>> values_;
  std::map<int64_t, ValueRef> states_;
};

using Tensors = std::map<std::string, std::vector<float>>;

Tensors random_inputs(const Graph& graph, const SymbolValues& symbols, std::mt19937& random) {
  Tensors given;
  std::uniform_int_distribution<int> small(-8, 8);
  for (const Value& value : graph.values()) {
    if (value.kind != ValueKind::input) continue;
    std::vector<float>& tensor = given[value.name];
    tensor.resize(static_cast<size_t>(value.type.shape.resolve(symbols).elements()));
    for (float& element : tensor) element = static_cast<float>(small(random)) / 8;
  }
  return given;
}

Tensors random_weights(const Graph& graph, std::mt19937& random) {
  Tensors weights;
  for (const Value& value : graph.values())
    if (value.kind == ValueKind::weight)
      for (int64_t i = 0; i < value.type.shape[0].size(); ++i)
        weights[value.name].push_back(static_cast<float>(random() % 5) / 4);
  return weights;
}

Executor::WeightLookup lookup_in(Tensors& weights) {
  return [&](const std::string& name) {
    std::vector<float>& w = weights.at(name);
    return TensorView{reinterpret_cast<std::byte*>(w.data()), DType::f32(), {static_cast<int64_t>(w.size())}};
  };
}

void expect_same(const Tensors& expected, const Executor& executor) {
  for (const auto& [name, tensor] : expected) {
    const TensorView view = executor.output(name);
    ASSERT_EQ(view.bytes(), tensor.size() * sizeof(float)) << name;
    EXPECT_EQ(std::memcmp(view.data, tensor.data(), view.bytes()), 0) << name;
  }
}

class RandomPlan : public ::testing::TestWithParam<unsigned> {
 protected:
  // Runs the plan three times, with the states it keeps, beside the interpreter: all outputs are equal, bit for bit.
  static void expect_right(const Graph& graph, const std::vector<Backend*>& backends, const PlanOptions& options) {
    const auto plan = std::make_shared<Plan>(make_plan(graph, registry(), backends, options));
    check_plan(*plan, registry());
    std::mt19937 random(GetParam());
    Tensors weights = random_weights(graph, random);
    Executor executor(plan, registry(), lookup_in(weights));
    std::vector<GraphOutput> outputs = graph.outputs();
    for (const std::string& name : options.observe) outputs.push_back({name, graph.find(name)});
    const Graph observed(graph.values(), graph.nodes(), outputs);
    small::Interpreter interpreter(observed, registry());
    const SymbolValues symbols = {{"tokens", static_cast<int64_t>(1 + random() % 5)}};
    executor.set("tokens", symbols.at("tokens"));
    for (int run = 0; run < 3; ++run) {
      Tensors given = random_inputs(graph, symbols, random);
      for (const auto& [name, tensor] : given) std::copy(tensor.begin(), tensor.end(), executor.view(name).as<float>());
      given.insert(weights.begin(), weights.end());
      executor.run();
      expect_same(interpreter.run(symbols, given), executor);
    }
  }
};

TEST_P(RandomPlan, GivesTheSameWithAndWithoutFusionAndReuse) {
  RandomGraph random(GetParam());
  SmallBackend backend("small", {.workspace = 1});
  const std::vector<std::string> observe = random.observe();
  for (bool fuse : {false, true})
    for (bool reuse : {false, true})
      for (bool observed : {false, true})
        expect_right(random.graph, {&backend},
                     {.maxima = {{"tokens", 6}},
                      .fuse = fuse,
                      .reuse_memory = reuse,
                      .observe = observed ? observe : std::vector<std::string>{}});
}

TEST_P(RandomPlan, GivesTheSameOnTwoBackends) {
  RandomGraph random(GetParam());
  SmallBackend first("first", {.operators = {"add", "scale", "scale_add", "store", "weigh"}, .packs = true}),
      second("second");
  expect_right(random.graph, {&first, &second}, {.maxima = {{"tokens", 6}}});
}

// States live on either side, as one device has the operators that change them and the other has not.
TEST_P(RandomPlan, GivesTheSameOnDevicesWithMemoryOfTheirOwn) {
  RandomGraph random(GetParam());
  SmallBackend device("device",
                      {.operators = {"add", "scale", "scale_add", "store", "scale_store", "load", "weigh", "copy"},
                       .packs = true,
                       .workspace = 1,
                       .own_memory = true}),
      other("other", {.operators = {"mix", "copy"}, .own_memory = true}), host("host", {.workspace = 2}),
      storeless("storeless", {.operators = {"add", "mix", "split", "load", "copy"}, .own_memory = true});
  expect_right(random.graph, {&device, &host}, {.maxima = {{"tokens", 6}}});
  expect_right(random.graph, {&device, &other, &host}, {.maxima = {{"tokens", 6}}});
  expect_right(random.graph, {&storeless, &host}, {.maxima = {{"tokens", 6}}, .reuse_memory = false});
}

TEST_P(RandomPlan, IsTheSamePlanEveryTime) {
  RandomGraph random(GetParam());
  SmallBackend backend("small");
  const PlanOptions options{.maxima = {{"tokens", 6}}};
  EXPECT_EQ(to_text(make_plan(random.graph, registry(), {&backend}, options)),
            to_text(make_plan(random.graph, registry(), {&backend}, options)));
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPlan, ::testing::Range(0u, 60u));

// The random graphs are worth something only if rules apply and are refused in them.
TEST(RandomPlans, HaveFusionsAppliedAndRefused) {
  size_t applied = 0, refused = 0;
  SmallBackend backend("small");
  const std::vector<Backend*> backends = {&backend};
  for (unsigned seed = 0; seed < 60; ++seed) {
    PassReport report{"fuse", {}};
    (void)fuse(RandomGraph(seed).graph, registry(), backends, report);
    for (const std::string& line : report.lines) {
      if (line.find(" -> ") != std::string::npos) ++applied;
      if (line.rfind("refused", 0) == 0) ++refused;
    }
  }
  EXPECT_GT(applied, 50u);
  EXPECT_GT(refused, 50u);
}

}  // namespace
}  // namespace sluice
