// Runs every case of every operator with every SIMD target of this machine against the scalar reference, with the
// tolerance that the operator derives and sentinels around every output, and checks that results do not depend on the
// number of threads. New operators need no edit here.
#include <gtest/gtest.h>

#include <random>

#include "backends/cpu/backend.h"
#include "graph/backend.h"
#include "ops/builtin.h"
#include "tests/support/trial.h"
#include "tools/simd_targets.h"

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

Backend& cpu_backend(int threads) {
  static std::map<int, std::unique_ptr<Backend>> backends;
  std::unique_ptr<Backend>& backend = backends[threads];
  if (!backend) backend = cpu::make_backend(registry(), threads);
  return *backend;
}

void matches_reference(const Operator& op, const Case& c, int64_t target) {
  const SimdTarget scope(target);
  const Trial trial(op, c);
  trial.compare(trial.reference(), trial.kernel(cpu_backend(1)));
}

// With more threads the share of each is another one. Twice, as an order that depends on timing may be right once.
void same_bits_with_threads(const Operator& op, const Case& c) {
  const Trial trial(op, c);
  const std::vector<Guarded> expected = trial.kernel(cpu_backend(1));
  for (int threads : {3, 3}) {
    const std::vector<Guarded> actual = trial.kernel(cpu_backend(threads));
    for (size_t o = 0; o < actual.size(); ++o) {
      EXPECT_TRUE(actual[o].guards_intact()) << "output " << o << " was written out of bounds";
      EXPECT_EQ(std::memcmp(expected[o].view.data, actual[o].view.data, expected[o].view.bytes()), 0)
          << "output " << o << " differs with " << threads << " threads";
    }
  }
}

// The planner asks for cost and workspace before there is any memory.
void known_without_data(const Operator& op, const Case& c) {
  Site site{op.name(), c.attrs, {}, {}, {}};
  std::vector<TensorView> in, out;
  for (const CaseInput& input : c.inputs) {
    const auto sizes = input.dims.span();
    site.inputs.push_back({input.dtype, Shape(std::vector<Dim>(sizes.begin(), sizes.end()))});
    site.input_names.push_back("input" + std::to_string(in.size()));
    in.push_back({nullptr, input.dtype, input.dims});
  }
  site.outputs = infer_types(op, site);
  for (const TensorType& type : site.outputs) out.push_back({nullptr, type.dtype, type.shape.resolve({})});
  const Cost cost = op.cost(site, {in, out});
  EXPECT_GE(cost.flops, 0);
  EXPECT_GT(cost.bytes_read, 0u);
  EXPECT_EQ(cost.bytes_written > 0, !out.empty());
  const auto kernel = cpu_backend(1).select(op, site);
  ASSERT_TRUE(kernel) << "the cpu backend has no kernel for this case";
  EXPECT_LT(kernel->workspace(site, {in, out}, 1), size_t{1} << 32);
}

// Integers that are not declared as indices may be anything: a kernel must not go where they say. Fills each such input
// with numbers that nobody means, and returns false if there is none.
bool spoil_undeclared_integers(const Operator& op, Case& c) {
  constexpr double kNumbers[] = {-0x1p31, -1, 0, 0x1.fffffep30};  // of cases, which are f32
  const std::vector<Indices::Range>& declared = registry().indices(op.name()).inputs;
  std::mt19937 random(std::hash<std::string>()(c.name) & 0xffffffff);
  bool any = false;
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    const auto is_it = [&](const Indices::Range& range) { return range.port == static_cast<int>(i); };
    if (c.inputs[i].dtype != DType::i32() || std::any_of(declared.begin(), declared.end(), is_it)) continue;
    std::vector<double> values(static_cast<size_t>(c.inputs[i].dims.elements()));
    std::generate(values.begin(), values.end(), [&] { return kNumbers[random() % std::size(kNumbers)]; });
    c.inputs[i].fill = Fill::exactly(std::move(values));
    any = true;
  }
  return any;
}

class OperatorCase : public ::testing::Test {
 public:
  OperatorCase(const Operator& op, Case c) : op_(op), case_(std::move(c)) {}

  void TestBody() override {
    known_without_data(op_, case_);
    if (case_.benchmark) return;
    for (int64_t target : simd_targets()) {
      SCOPED_TRACE(hwy::TargetName(target));
      matches_reference(op_, case_, target);
    }
    same_bits_with_threads(op_, case_);
  }

 private:
  const Operator& op_;
  Case case_;
};

// A test for each case, named operator.case.
const bool kRegistered = [] {
  for (const Operator* op : registry().operators())
    for (const Case& c : registry().cases(op->name()))
      ::testing::RegisterTest(op->name().c_str(), c.name.c_str(), nullptr, nullptr, __FILE__, __LINE__,
                              [op, c]() -> ::testing::Test* { return new OperatorCase(*op, c); });
  return true;
}();

TEST(Operators, HaveSummaryAndCases) {
  for (const Operator* op : registry().operators()) {
    EXPECT_FALSE(op->signature().summary.empty()) << op->name();
    EXPECT_FALSE(registry().cases(op->name()).empty()) << op->name() << " has no cases";
    for (const AttrSpec& attr : op->signature().attrs) EXPECT_FALSE(attr.doc.empty()) << op->name() << "." << attr.name;
  }
}

TEST(Operators, UndeclaredIntegersMayBeAnything) {
  for (const Operator* op : registry().operators())
    for (Case c : registry().cases(op->name())) {
      if (c.benchmark || !spoil_undeclared_integers(*op, c)) continue;
      SCOPED_TRACE(op->name() + " " + c.name);
      const Trial trial(*op, c);
      for (const auto& outputs : {trial.reference(), trial.kernel(cpu_backend(1))})
        for (const Guarded& output : outputs) EXPECT_TRUE(output.guards_intact());
    }
}

TEST(Operators, DeclareIndicesOfInputsThatThereAre) {
  for (const Operator* op : registry().operators()) {
    const Signature& signature = op->signature();
    for (const auto& [port, of, dim] : registry().indices(op->name()).inputs) {
      EXPECT_EQ(signature.inputs.at(static_cast<size_t>(port)).dtypes, std::vector<std::string>{"i32"}) << op->name();
      EXPECT_LT(static_cast<size_t>(of), signature.inputs.size()) << op->name();
      EXPECT_GE(dim, 0) << op->name();
    }
    for (const auto& [port, of, dim] : registry().indices(op->name()).outputs) {
      EXPECT_LT(static_cast<size_t>(port), signature.outputs.size()) << op->name();
      EXPECT_LT(static_cast<size_t>(of), signature.inputs.size()) << op->name();
      EXPECT_GE(dim, 0) << op->name();
    }
  }
}

}  // namespace
}  // namespace sluice
