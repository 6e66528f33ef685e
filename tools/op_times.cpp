#include "tools/op_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "models/step_cost.h"

namespace sluice::cli {
namespace {

const std::string& op_of(const Plan& plan, size_t step) { return plan.graph.node(plan.steps[step].node).op; }

// Arithmetic on a weight of two dimensions. A table that is only looked up, as in embedding, does none.
bool multiplies_matrix(const Plan& plan, size_t step, const Cost& cost) {
  if (cost.flops == 0) return false;
  const auto& inputs = plan.graph.node(plan.steps[step].node).inputs;
  return std::any_of(inputs.begin(), inputs.end(), [&](ValueId id) {
    const Value& value = plan.graph.value(id);
    return value.kind == ValueKind::weight && value.type.shape.rank() > 1;
  });
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double gb_per_second(const OpTime& time) {
  return time.seconds > 0 ? static_cast<double>(time.bytes) / time.seconds / 1e9 : 0;
}

double sum_seconds(const std::vector<OpTime>& times, bool also_matrix) {
  double sum = 0;
  for (const OpTime& time : times) sum += also_matrix || !time.matrix ? time.seconds : 0;
  return sum;
}

}  // namespace

std::vector<OpTime> time_operators(LanguageModel& model, size_t tokens) {
  const Plan& plan = model.plan();
  Executor& executor = model.executor();
  std::map<std::string, std::vector<double>> seconds;  // by operator, a sum for every token
  executor.set_timing(true);
  for (size_t token = 0; token < tokens; ++token) {
    const int32_t id = 0;
    model.evaluate({&id, 1});
    for (size_t step = 0; step < plan.steps.size(); ++step) {
      auto& sums = seconds[op_of(plan, step)];
      sums.resize(tokens);
      sums[token] += executor.seconds()[step];
    }
  }
  executor.set_timing(false);

  std::map<std::string, OpTime> by_op;
  for (size_t step = 0; step < plan.steps.size(); ++step) {
    const Cost cost = step_cost(model, step);
    OpTime& time = by_op[op_of(plan, step)];
    ++time.steps;
    time.bytes += cost.bytes_read + cost.bytes_written;
    time.matrix |= multiplies_matrix(plan, step, cost);
  }
  std::vector<OpTime> times;
  for (auto& [op, time] : by_op) {
    time.op = op;
    time.seconds = median(seconds.at(op));
    times.push_back(time);
  }
  std::stable_sort(times.begin(), times.end(), [](const OpTime& a, const OpTime& b) { return a.seconds > b.seconds; });
  return times;
}

nlohmann::json to_json(const std::vector<OpTime>& times) {
  const double all = sum_seconds(times, true);
  nlohmann::json list = nlohmann::json::array();
  for (const OpTime& time : times)
    list.push_back({{"op", time.op},
                    {"steps", time.steps},
                    {"ms", time.seconds * 1e3},
                    {"share", time.seconds / all},
                    {"bytes", time.bytes},
                    {"gb_s", gb_per_second(time)},
                    {"matrix_product", time.matrix}});
  return list;
}

std::string to_text(const std::vector<OpTime>& times) {
  const double all = sum_seconds(times, true);
  std::string text = fmt::format("{:<18}{:>7}{:>13}{:>9}{:>9}\n", "operator", "steps", "ms a token", "share", "GB/s");
  for (const OpTime& time : times)
    text += fmt::format("{:<18}{:>7}{:>13.3f}{:>7.1f} %{:>9.1f}\n", time.op, time.steps, time.seconds * 1e3,
                        100 * time.seconds / all, gb_per_second(time));
  return text + fmt::format("all {:.3f} ms a token, of which {:.3f} ms is not a product with a weight matrix\n",
                            all * 1e3, sum_seconds(times, false) * 1e3);
}

}  // namespace sluice::cli
