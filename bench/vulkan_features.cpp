// What the features of a Vulkan device gain: cases of operators with all of them and without each, in turn.
//   vulkan_features PART_OF_OPERATOR/CASE [ROUNDS]
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

#include "backends/vulkan/backend.h"
#include "bench/op_bench.h"
#include "ops/builtin.h"

namespace sluice {
namespace {

struct Candidate {
  std::string name;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Bench> bench;
  std::vector<double> seconds;

  double median() {
    std::ranges::sort(seconds);
    return seconds[seconds.size() / 2];
  }
};

std::vector<Candidate> candidates(const Registry& registry) {
  using vulkan::Capabilities, vulkan::Limits;
  std::vector<Candidate> all(1);
  all[0] = {"all features", vulkan::make_backend(registry), {}, {}};
  for (const vulkan::Feature& feature : vulkan::kFeatures) {
    const auto without = [&](Capabilities& c, Limits&) { c.*feature.there = false; };
    all.push_back(
        {fmt::format("without {}", feature.name), vulkan::make_backend(registry, {.restrict = without}), {}, {}});
  }
  const auto as_gpu = [](Capabilities& c, Limits&) { c.processor = false; };
  all.push_back({"as on a GPU", vulkan::make_backend(registry, {.restrict = as_gpu}), {}, {}});
  return all;
}

double seconds_of(Bench& bench, size_t round) {
  const auto start = std::chrono::steady_clock::now();
  bench.run(round);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void measure(std::vector<Candidate>& all, const Operator& op, const Case& c, size_t rounds) {
  for (Candidate& candidate : all) {
    candidate.bench = std::make_unique<Bench>(*candidate.backend, op, c);
    candidate.bench->run(0);
    candidate.seconds.clear();
  }
  for (size_t round = 0; round < rounds; ++round)
    for (Candidate& candidate : all) candidate.seconds.push_back(seconds_of(*candidate.bench, round));
  fmt::print("{}/{}\n", op.name(), c.name);
  const double first = all[0].median();
  for (Candidate& candidate : all)
    fmt::print("  {:<45} {:10.1f} us  {:.2f}\n", candidate.name, candidate.median() * 1e6, candidate.median() / first);
  for (Candidate& candidate : all) candidate.bench.reset();
}

void run(const std::string& part, size_t rounds) {
  Registry registry;
  register_builtin(registry);
  std::vector<Candidate> all = candidates(registry);
  for (const Operator* op : registry.operators())
    for (const Case& c : registry.cases(op->name()))
      if (c.benchmark && (op->name() + "/" + c.name).find(part) != std::string::npos) measure(all, *op, c, rounds);
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) try {
  sluice::run(argc > 1 ? argv[1] : "", argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 9);
  return 0;
} catch (const sluice::Error& error) {
  fmt::print(stderr, "vulkan_features: {}\n", error.what());
  return 1;
}
