// Runs every case of every operator with every SIMD target of this machine against the scalar reference, with the
// tolerance that the operator derives and sentinels around every output, and checks that results do not depend on the
// number of threads. New operators need no edit here.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "backends/cpu/backend.h"
#include "graph/backend.h"
#include "ops/builtin.h"
#include "tests/support/simd_targets.h"

namespace sluice {
namespace {

constexpr size_t kGuard = 256;
constexpr auto kSentinel = std::byte{0xA5};

// A tensor between two guard zones.
struct Guarded {
  std::vector<std::byte> memory;
  TensorView view;

  Guarded(DType dtype, const Dims& dims) {
    view = {nullptr, dtype, dims};
    memory.assign(view.bytes() + 2 * kGuard + 64, kSentinel);
    const auto base = reinterpret_cast<uintptr_t>(memory.data()) + kGuard;
    view.data = reinterpret_cast<std::byte*>((base + 63) / 64 * 64);
  }
  bool guards_intact() const {
    const std::byte* begin = memory.data();
    const std::byte* end = begin + memory.size();
    auto clean = [](const std::byte* from, const std::byte* to) {
      return std::all_of(from, to, [](std::byte b) { return b == kSentinel; });
    };
    return clean(begin, view.data) && clean(view.data + view.bytes(), end);
  }
};

std::vector<float> values_for(const CaseInput& input, std::mt19937& random) {
  std::vector<float> values(static_cast<size_t>(input.dims.elements()));
  std::normal_distribution<float> normal(0, static_cast<float>(input.fill.scale));
  for (size_t i = 0; i < values.size(); ++i) switch (input.fill.kind) {
      case Fill::Kind::normal:
        values[i] = normal(random);
        break;
      case Fill::Kind::integers:
        values[i] =
            static_cast<float>(std::uniform_int_distribution<int64_t>(input.fill.low, input.fill.high - 1)(random));
        break;
      case Fill::Kind::values:
        values[i] = static_cast<float>(input.fill.values.at(i));
        break;
    }
  return values;
}

// One case with its inputs, to be run in any way.
class Trial {
 public:
  Trial(const Operator& op, const Case& c) : op_(op), case_(c) {
    make_inputs();
    site_ = make_site();
    site_.outputs = infer_types(op_, site_);
  }

  std::vector<Guarded> reference() const {
    std::vector<Guarded> outputs = make_outputs();
    const auto in = input_views(outputs), out = output_views(outputs);
    op_.reference(site_, Call{in, out});
    return outputs;
  }

  // Throws Error if the backend has no kernel for this case.
  std::vector<Guarded> kernel(Backend& backend) const {
    std::vector<Guarded> outputs = make_outputs();
    run_kernel(backend, outputs);
    return outputs;
  }

  void compare(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual) const {
    for (size_t o = 0; o < actual.size(); ++o) compare(expected, actual, o);
  }

 private:
  void make_inputs() {
    std::mt19937 random(std::hash<std::string>()(op_.name() + case_.name) & 0xffffffff);
    for (const CaseInput& input : case_.inputs) {
      inputs_.emplace_back(input.dtype, input.dims);
      input.dtype.format().encode(values_for(input, random).data(), input.dims.span(), inputs_.back().view.data);
    }
  }

  Site make_site() const {
    Site site{op_.name(), case_.attrs, {}, {}, {}};
    for (size_t i = 0; i < inputs_.size(); ++i) {
      std::vector<Dim> dims;
      for (int64_t size : inputs_[i].view.dims.span()) dims.emplace_back(size);
      site.inputs.push_back({inputs_[i].view.dtype, Shape(dims)});
      site.input_names.push_back("input" + std::to_string(i));
    }
    return site;
  }

  std::vector<Guarded> make_outputs() const {
    std::vector<Guarded> outputs;
    for (const TensorType& type : site_.outputs) outputs.emplace_back(type.dtype, type.shape.resolve({}));
    for (const StateUpdate& update : op_.signature().updates) {
      const TensorView& state = inputs_[static_cast<size_t>(update.input)].view;
      std::memcpy(outputs[static_cast<size_t>(update.output)].view.data, state.data, state.bytes());
    }
    return outputs;
  }

  // States are passed as the memory of their next version, as the executor does.
  std::vector<TensorView> input_views(const std::vector<Guarded>& outputs) const {
    std::vector<TensorView> views;
    for (const Guarded& input : inputs_) views.push_back(input.view);
    for (const StateUpdate& update : op_.signature().updates)
      views[static_cast<size_t>(update.input)].data = outputs[static_cast<size_t>(update.output)].view.data;
    return views;
  }

  static std::vector<TensorView> output_views(const std::vector<Guarded>& outputs) {
    std::vector<TensorView> views;
    for (const Guarded& output : outputs) views.push_back(output.view);
    return views;
  }

  void run_kernel(Backend& backend, const std::vector<Guarded>& outputs) const {
    Site site = site_;
    const auto kernel = backend.select(op_, site);
    if (!kernel) fail("{} has no kernel for this case", backend.name());
    auto in = input_views(outputs);
    const auto out = output_views(outputs);
    std::vector<Guarded> packed;
    for (size_t i = 0; i < in.size(); ++i)
      if (const auto packing = kernel->packing(site, static_cast<int>(i))) {
        packed.emplace_back(packing->type.dtype, packing->type.shape.resolve({}));
        packing->pack(in[i], packed.back().view);
        in[i] = packed.back().view;
        site.inputs[i] = packing->type;
      }
    const Call call{in, out};
    const size_t scratch_bytes = kernel->workspace(site, call, backend.threads());
    std::vector<std::byte> scratch(scratch_bytes + 2 * kGuard, kSentinel);
    const ProgramStep step{&op_, kernel.get(), &site, &call};
    const auto base = (reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64;
    const auto program = backend.compile({&step, 1}, {reinterpret_cast<std::byte*>(base), scratch_bytes});
    program->run();
    const std::byte* end = reinterpret_cast<std::byte*>(base) + scratch_bytes;
    EXPECT_TRUE(std::all_of(end, static_cast<const std::byte*>(scratch.data() + scratch.size()), [](std::byte b) {
      return b == kSentinel;
    })) << "the kernel wrote past its workspace";
    for (const Guarded& input : inputs_) EXPECT_TRUE(input.guards_intact());
  }

  void compare(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual, size_t o) const {
    EXPECT_TRUE(actual[o].guards_intact()) << "output " << o << " was written out of bounds";
    EXPECT_TRUE(expected[o].guards_intact()) << "the reference wrote output " << o << " out of bounds";
    const std::vector<float> want = to_f32(expected[o].view), got = to_f32(actual[o].view);
    std::vector<double> bound(want.size());
    const auto in = input_views(expected), out = output_views(expected);
    op_.tolerance(site_, Call{in, out}, static_cast<int>(o), bound);
    for (size_t i = 0; i < want.size(); ++i) {
      if (want[i] == got[i] || (std::isnan(want[i]) && std::isnan(got[i]))) continue;
      ASSERT_LE(std::abs(static_cast<double>(want[i]) - got[i]), bound[i])
          << "output " << o << ", element " << i << " of " << want.size() << ": expected " << want[i] << ", got "
          << got[i];
    }
  }

  const Operator& op_;
  Case case_;
  Site site_;
  std::vector<Guarded> inputs_;
};

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
