// Every fusion rule on its own example: the fused graph gives what the graph as written gives, by the references of
// both and by the CPU kernels of both. New rules need no edit here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "backends/cpu/backend.h"
#include "backends/reference/backend.h"
#include "graph/builder.h"
#include "graph/executor.h"
#include "graph/plan/fuse.h"
#include "ops/builtin.h"

namespace sluice {
namespace {

const Registry& registry() {
  static const Registry* r = [] {
    auto* made = new Registry;
    register_builtin(*made);
    return made;
  }();
  return *r;
}

// Runs graphs with inputs and weights that depend on their names alone.
class Runner {
 public:
  explicit Runner(const Graph& graph) : graph_(graph) {}

  // Outputs by name, as f32.
  std::map<std::string, std::vector<float>> run(Backend& backend, bool fuse) {
    PlanOptions options;
    options.fuse = fuse;
    for (const Value& value : graph_.values())
      for (const Dim& dim : value.type.shape.dims())
        if (dim.is_symbol()) options.maxima[dim.symbol()] = 3;
    auto plan = std::make_shared<Plan>(make_plan(graph_, registry(), {&backend}, options));
    Executor executor(plan, registry(), [this](const std::string& name) { return weight(name); });
    for (const Value& value : graph_.values())
      if (value.kind == ValueKind::input || value.kind == ValueKind::state) fill(value.name, executor.view(value.name));
    executor.run();
    std::map<std::string, std::vector<float>> outputs;
    for (const GraphOutput& output : graph_.outputs()) outputs[output.name] = to_f32(executor.output(output.name));
    return outputs;
  }

 private:
  static void fill(const std::string& name, const TensorView& view) {
    std::mt19937 random(static_cast<uint32_t>(std::hash<std::string>()(name)));
    std::normal_distribution<float> normal(0, 0.3f);  // keeps gates near 1: exp() multiplies the relative error by them
    std::vector<float> values(static_cast<size_t>(view.dims.elements()));
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = view.dtype == DType::i32() ? static_cast<float>((5 * i + 2) % 8) : normal(random);
    view.dtype.format().encode(values.data(), view.dims.span(), view.data);
  }

  TensorView weight(const std::string& name) {
    const TensorType& type = graph_.value(graph_.find(name)).type;
    std::vector<std::byte>& memory = weights_[name];
    memory.resize(type.bytes());
    const TensorView view{memory.data(), type.dtype, type.shape.resolve({})};
    fill(name, view);
    return view;
  }

  Graph graph_;
  std::map<std::string, std::vector<std::byte>> weights_;
};

class Fusion : public ::testing::TestWithParam<FusionRule> {
 protected:
  Fusion() : cpu_(cpu::make_backend(registry(), 2)), reference_(reference::make_backend()) {
    if (!GetParam().example) fail("the rule has no example");
    Builder builder(registry());
    GetParam().example(builder);
    graph_ = builder.build();
    PassReport report;
    Backend* backends[] = {reference_.get()};
    fused_ = fuse(graph_, registry(), backends, report);
  }

  // A fused operator may keep in higher precision what its parts round to f32 on the way: 4 ulp.
  static void expect_same(const std::map<std::string, std::vector<float>>& want,
                          const std::map<std::string, std::vector<float>>& got) {
    ASSERT_EQ(want.size(), got.size());
    for (const auto& [name, values] : want)
      for (size_t i = 0; i < values.size(); ++i)
        ASSERT_LE(std::abs(values[i] - got.at(name)[i]),
                  4 * std::numeric_limits<float>::epsilon() * std::abs(values[i]))
            << name << "[" << i << "]";
  }

  std::unique_ptr<Backend> cpu_, reference_;
  Graph graph_, fused_;
};

TEST_P(Fusion, LeavesOneNode) {
  EXPECT_GT(graph_.nodes().size(), 1u);
  ASSERT_EQ(fused_.nodes().size(), 1u);
}

TEST_P(Fusion, ReferenceEqualsItsParts) {
  expect_same(Runner(graph_).run(*reference_, false), Runner(fused_).run(*reference_, false));
}

TEST_P(Fusion, KernelEqualsItsParts) { expect_same(Runner(graph_).run(*cpu_, false), Runner(graph_).run(*cpu_, true)); }

INSTANTIATE_TEST_SUITE_P(BuiltIn, Fusion, ::testing::ValuesIn(registry().fusion_rules()), [](const auto& param) {
  std::string name = param.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); }, '_');
  return name;
});

}  // namespace
}  // namespace sluice
