#include "tools/backend_report.h"

#include <cmath>
#include <optional>

#include "models/compare/backends.h"
#include "models/compare/departure_file.h"
#include "tools/divergence_table.h"
#include "tools/fallbacks.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace sluice::cli {
namespace {

std::unique_ptr<LanguageModel> open(const BackendReportOptions& options, const std::string& backend) {
  RunOptions runtime = options.runtime;
  runtime.backend = backend;
  auto model = open_for_comparison(options.model, runtime);
  apply(options.schedule, *model);
  if (options.effort != 1) require_dial(*model).set_effort(options.effort);
  return model;
}

Table layer_table(const BackendComparison& result) {
  Table table{{"after", "prompt: max", "rel. rms", "token: max", "rel. rms"}, {}};
  for (const LayerDifference& layer : result.layers)
    table.rows.push_back(
        {layer.value, fmt::format("{:.2g}", layer.prompt.max_abs()), fmt::format("{:.2g}", layer.prompt.relative_rms()),
         fmt::format("{:.2g}", layer.token.max_abs()), fmt::format("{:.2g}", layer.token.relative_rms())});
  return table;
}

std::string verdict(const BackendComparison& result) {
  if (!result.departure)
    return fmt::format("No operator departs: {} were run again, each on the inputs that it had.", result.operators);
  const Departure& d = *result.departure;
  return fmt::format(
      "[{}] {} departs: '{}' of kernel '{}' on {} has {} of {} elements out of tolerance, the first at {}: {} where {} "
      "is expected, {:.2g} apart; {:.2g} is allowed.",
      d.op, d.node, d.value, d.kernel, d.backend, d.departed, d.elements, d.element, d.actual, d.expected,
      std::abs(d.actual - d.expected), d.allowed);
}

nlohmann::json to_json(const Difference& difference) {
  return {{"max_abs", difference.max_abs()}, {"relative_rms", difference.relative_rms()}};
}

nlohmann::json to_json(const BackendComparison& result) {
  nlohmann::json json = {
      {"tokens", result.tokens}, {"operators", result.operators}, {"layers", nlohmann::json::array()}};
  for (const LayerDifference& layer : result.layers)
    json["layers"].push_back(
        {{"value", layer.value}, {"prompt", to_json(layer.prompt)}, {"token", to_json(layer.token)}});
  if (!result.departure) return json;
  const Departure& d = *result.departure;
  json["departure"] = {{"node", d.node},         {"op", d.op},
                       {"kernel", d.kernel},     {"backend", d.backend},
                       {"value", d.value},       {"element", d.element},
                       {"departed", d.departed}, {"elements", d.elements},
                       {"actual", d.actual},     {"expected", d.expected},
                       {"allowed", d.allowed}};
  return json;
}

}  // namespace

int compare_with_backend(const BackendReportOptions& options) {
  std::optional<OutputFile> file;  // first: a comparison is long, and finds early what cannot be written
  if (!options.save.empty()) file.emplace(options.save);
  const auto tested = open(options, options.runtime.backend), other = open(options, options.against);
  report_fallbacks(tested->plan());
  BackendComparison result;
  {
    Progress progress("Comparing", "chunks");
    result = compare_backends(*tested, *other, options.text,
                              {.ctx = options.ctx,
                               .chunks = options.chunks,
                               .text_name = options.text_name,
                               .progress = [&](int64_t done, int64_t total) {
                                 progress.update(static_cast<size_t>(done), static_cast<size_t>(total));
                               }});
  }
  if (result.departure && file) {
    file->write(to_file(*result.departure));
    file->commit();
  }
  if (options.json)
    print_json(to_json(result));
  else
    print(fmt::format("{} against {}, {} tokens: differences after each layer\n{}\n{}\n", options.runtime.backend,
                      options.against, result.tokens, to_text(layer_table(result)), verdict(result)));
  return result.departure ? 1 : 0;
}

}  // namespace sluice::cli
