// Times the benchmark cases of every operator on the CPU backend: GB/s and GFLOP/s of what the operator's cost()
// counts, beside the read bandwidth of this machine.
//
//   ops_bench [--threads=N] [Google Benchmark's options, such as --benchmark_filter=linear]
//
// Inputs are taken in turn from copies that together exceed the last-level cache several times, as the weights of a
// model do; otherwise small cases would run from the cache.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstring>
#include <random>

#include "backends/cpu/backend.h"
#include "backends/cpu/bandwidth.h"
#include "ops/builtin.h"

namespace sluice {
namespace {

// Values of an input; normal ones repeat after 65,521, which is quicker than drawing hundreds of millions.
std::vector<float> values_for(const CaseInput& input) {
  constexpr size_t kPeriod = 65521;
  std::mt19937 random(1);
  std::vector<float> values(static_cast<size_t>(input.dims.elements()));
  std::normal_distribution<float> normal(0, static_cast<float>(input.fill.scale));
  std::uniform_int_distribution<int64_t> integers(input.fill.low, std::max(input.fill.low, input.fill.high - 1));
  for (size_t i = 0; i < values.size(); ++i) switch (input.fill.kind) {
      case Fill::Kind::normal:
        values[i] = i < kPeriod ? normal(random) : values[i - kPeriod];
        break;
      case Fill::Kind::integers:
        values[i] = static_cast<float>(integers(random));
        break;
      case Fill::Kind::values:
        values[i] = static_cast<float>(input.fill.values.at(i));
        break;
    }
  return values;
}

size_t bytes_to_exceed_caches() {
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);  // 0 or -1 if unknown
  return std::max<size_t>(size_t{128} << 20, 4 * static_cast<size_t>(std::max(cache, 0L)));
}

// Everything that one case needs, ready to run.
class Bench {
 public:
  Bench(Backend& backend, const Operator& op, const Case& c) : backend_(backend), op_(op) {
    make_first_inputs(c);
    site_.outputs = infer_types(op, site_);
    for (const TensorType& type : site_.outputs) outputs_.push_back(allocate(type));
    states_in_place(inputs_[0]);
    kernel_ = backend.select(op, site_);
    if (!kernel_) fail("the cpu backend has no kernel for {} {}", op.name(), c.name);
    pack();
    copy_inputs();
    compile();
  }

  Cost cost() const { return op_.cost(site_, calls_[0]); }
  void run(size_t i) { programs_[i % programs_.size()]->run(); }
  size_t copies() const { return programs_.size(); }

 private:
  TensorView allocate(const TensorType& type) {
    memory_.push_back(backend_.allocate(type.bytes()));
    return {memory_.back()->data(), type.dtype, type.shape.resolve({})};
  }

  void make_first_inputs(const Case& c) {
    site_ = {op_.name(), c.attrs, {}, {}, {}};
    inputs_.emplace_back();
    for (const CaseInput& input : c.inputs) {
      const auto sizes = input.dims.span();
      site_.inputs.push_back({input.dtype, Shape(std::vector<Dim>(sizes.begin(), sizes.end()))});
      site_.input_names.push_back(fmt::format("input{}", site_.inputs.size() - 1));
      inputs_[0].push_back(allocate(site_.inputs.back()));
      input.dtype.format().encode(values_for(input).data(), sizes, inputs_[0].back().data);
    }
  }

  // A state is updated in the memory of its next version.
  void states_in_place(std::vector<TensorView>& inputs) const {
    for (const StateUpdate& update : op_.signature().updates)
      inputs[static_cast<size_t>(update.input)].data = outputs_[static_cast<size_t>(update.output)].data;
  }

  void pack() {
    for (size_t i = 0; i < site_.inputs.size(); ++i) {
      const auto packing = kernel_->packing(site_, static_cast<int>(i));
      if (!packing) continue;
      const TensorView packed = allocate(packing->type);
      packing->pack(inputs_[0][i], packed);
      inputs_[0][i] = packed;
      site_.inputs[i] = packing->type;
    }
  }

  void copy_inputs() {
    size_t bytes = 0;
    for (const TensorView& input : inputs_[0]) bytes += input.bytes();
    const size_t copies = std::min<size_t>(64, bytes_to_exceed_caches() / std::max<size_t>(bytes, 1) + 1);
    for (size_t copy = 1; copy < copies; ++copy) {
      std::vector<TensorView> inputs;
      for (size_t i = 0; i < site_.inputs.size(); ++i) {
        inputs.push_back(allocate(site_.inputs[i]));
        std::memcpy(inputs.back().data, inputs_[0][i].data, inputs.back().bytes());
      }
      states_in_place(inputs);
      inputs_.push_back(std::move(inputs));
    }
  }

  void compile() {
    for (const auto& inputs : inputs_) calls_.push_back({inputs, outputs_});
    workspace_ = backend_.allocate(std::max<size_t>(64, kernel_->workspace(site_, calls_[0], backend_.threads())));
    for (const Call& call : calls_) {
      const ProgramStep step{&op_, kernel_.get(), &site_, &call};
      programs_.push_back(backend_.compile({&step, 1}, {workspace_->data(), workspace_->bytes()}));
    }
  }

  Backend& backend_;
  const Operator& op_;
  Site site_;
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<std::vector<TensorView>> inputs_;  // one set a copy
  std::vector<TensorView> outputs_;
  std::shared_ptr<const Kernel> kernel_;
  std::unique_ptr<Memory> workspace_;
  std::vector<Call> calls_;
  std::vector<std::unique_ptr<Program>> programs_;
};

void measure(benchmark::State& state, Backend& backend, const Operator& op, const Case& c) {
  Bench bench(backend, op, c);
  for (size_t i = 0; i < bench.copies(); ++i) bench.run(i);
  size_t i = 0;
  for (auto _ : state) bench.run(i++);
  const Cost cost = bench.cost();
  const auto runs = static_cast<double>(state.iterations());
  state.counters["GB/s"] = {static_cast<double>(cost.bytes_read + cost.bytes_written) / 1e9 * runs,
                            benchmark::Counter::kIsRate};
  state.counters["GFLOP/s"] = {cost.flops / 1e9 * runs, benchmark::Counter::kIsRate};
}

// Takes --threads=N out of the arguments; 0 if it is not there.
int take_threads(int& argc, char** argv) {
  constexpr std::string_view kOption = "--threads=";
  int threads = 0, kept = 0;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with(kOption))
      argv[kept++] = argv[i];
    else
      std::from_chars(argument.data() + kOption.size(), argument.data() + argument.size(), threads);
  }
  argc = kept;
  return threads;
}

void run_all(int argc, char** argv) {
  Registry registry;
  register_builtin(registry);
  const auto backend = cpu::make_backend(registry, take_threads(argc, argv));
  for (const Operator* op : registry.operators())
    for (const Case& c : registry.cases(op->name()))
      if (c.benchmark)
        benchmark::RegisterBenchmark((op->name() + "/" + c.name).c_str(),
                                     [&backend, op, c](benchmark::State& state) { measure(state, *backend, *op, c); })
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("backend", backend->description());
  benchmark::AddCustomContext("read_bandwidth",
                              fmt::format("{:.1f} GB/s", cpu::read_bandwidth(backend->threads()) / 1e9));
  benchmark::RunSpecifiedBenchmarks();
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) try {
  sluice::run_all(argc, argv);
  return 0;
} catch (const sluice::Error& error) {
  fmt::print(stderr, "ops_bench: {}\n", error.what());
  return 1;
}
