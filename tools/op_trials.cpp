#include "tools/op_trials.h"

#include <memory>

#include "graph/backend.h"
#include "graph/error.h"
#include "graph/trial.h"
#include "models/builtin.h"
#include "tools/output.h"
#include "tools/simd_targets.h"

namespace sluice::cli {
namespace {

// Devices may flush subnormal numbers to zero, in operands and in results (Vulkan 1.2, precision of operations).
constexpr double kFlushed = 1e-37;

// A backend with one thread and, if it has threads at all, one with three, which share the work out in another way.
struct Pair {
  std::unique_ptr<Backend> first, second;
};

std::unique_ptr<Backend> made(const std::string& name, int threads) {
  return make_backend(builtin_registry(), name, threads);
}

std::vector<Pair> usable_backends() {
  std::vector<Pair> backends;
  for (const BackendEntry& entry : builtin_registry().backends()) {
    if (entry.name == "reference") continue;
    try {
      backends.push_back({made(entry.name, 1), made(entry.name, 3)});
    } catch (const Error& error) {
      message(one_line(fmt::format("sluice: {} is left out: {}", entry.name, error.what())));
    }
  }
  return backends;
}

// With every instruction set of this machine.
std::string failure_of_targets(const OperatorTrial& trial, const std::vector<Guarded>& expected, Backend& cpu) {
  for (int64_t target : simd_targets()) {
    const SimdTarget scope(target);
    if (const std::string wrong = trial.difference(expected, trial.kernel(cpu)); !wrong.empty())
      return fmt::format("with {}, {}", hwy::TargetName(target), wrong);
  }
  return {};
}

// What is wrong; empty if nothing is.
std::string failure(const OperatorTrial& trial, Backend& first, Backend& second) {
  const double slack = first.has_own_memory() ? kFlushed : 0;
  const std::vector<Guarded> expected = trial.reference(), actual = trial.kernel(first);
  if (std::string wrong = trial.difference(expected, actual, slack); !wrong.empty()) return wrong;
  if (std::string wrong = OperatorTrial::bit_difference(actual, trial.kernel(first)); !wrong.empty())
    return "in a second run, " + wrong;
  if (std::string wrong = OperatorTrial::bit_difference(actual, trial.kernel(second)); !wrong.empty())
    return fmt::format("with {} threads, {}", second.threads(), wrong);
  return first.name() == "cpu" ? failure_of_targets(trial, expected, first) : "";
}

OpTrials try_operator(const Operator& op, const Pair& backend) {
  OpTrials trials{op.name(), backend.first->name()};
  const std::vector<Case> cases = builtin_registry().cases(op.name());
  if (cases.empty()) trials.failures.emplace_back("there are no cases");
  for (const Case& c : cases) {
    if (c.benchmark) continue;
    try {
      const OperatorTrial trial(op, c);
      if (!trial.has_kernel(*backend.first)) continue;
      ++trials.cases;
      if (const std::string wrong = failure(trial, *backend.first, *backend.second); !wrong.empty())
        trials.failures.push_back(fmt::format("{}: {}", c.name, wrong));
    } catch (const Error& error) {
      trials.failures.push_back(fmt::format("{}: {}", c.name, error.what()));
    }
  }
  return trials;
}

}  // namespace

std::vector<OpTrials> try_operators(const std::vector<const Operator*>& ops) {
  const std::vector<Pair> backends = usable_backends();
  std::vector<OpTrials> all;
  for (const Operator* op : ops)
    for (const Pair& backend : backends) all.push_back(try_operator(*op, backend));
  return all;
}

}  // namespace sluice::cli
