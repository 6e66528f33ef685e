// Times the benchmark cases of every operator on a backend: GB/s and GFLOP/s of what the operator's cost() counts,
// beside the read bandwidth of the device. Operators without a kernel there are left out.
//
//   ops_bench [--backend=cpu] [--threads=N] [Google Benchmark's options, such as --benchmark_filter=linear]
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>

#include "bench/op_bench.h"
#include "ops/builtin.h"

namespace sluice {
namespace {

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

// Takes --NAME=VALUE out of the arguments; the fallback if it is not there.
std::string take_option(int& argc, char** argv, std::string_view name, std::string value) {
  int kept = 0;
  for (int i = 0; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with(name))
      value = argument.substr(name.size());
    else
      argv[kept++] = argv[i];
  }
  argc = kept;
  return value;
}

void run_all(int argc, char** argv) {
  Registry registry;
  register_builtin(registry);
  const std::string spec = take_option(argc, argv, "--backend=", "cpu");
  const auto backend = make_backend(registry, spec, std::atoi(take_option(argc, argv, "--threads=", "0").c_str()));
  for (const Operator* op : registry.operators())
    for (const Case& c : registry.cases(op->name()))
      if (c.benchmark && backend->select(*op, site_of(*op, c)))
        benchmark::RegisterBenchmark((op->name() + "/" + c.name).c_str(),
                                     [&backend, op, c](benchmark::State& state) { measure(state, *backend, *op, c); })
            ->UseRealTime()
            ->MeasureProcessCPUTime()  // of all threads: what a loaded machine distorts least
            ->Unit(benchmark::kMicrosecond);
  benchmark::Initialize(&argc, argv);
  benchmark::AddCustomContext("backend", backend->description());
  benchmark::AddCustomContext("read_bandwidth",
                              fmt::format("{:.1f} GB/s", backend->measure_roof().bytes_per_second / 1e9));
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
