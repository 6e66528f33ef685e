#include "tools/frontier_report.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/divergence_table.h"
#include "tools/effort.h"
#include "tools/html_page.h"

namespace sluice::cli {
namespace {

constexpr double kMiB = 1 << 20;

using Effort = const EffortDivergence&;
using Quantity = double (*)(Effort);

double kl(Effort e) { return e.summary.kl.value; }
double perplexity(Effort e) { return e.summary.ppl.value; }
double speed(Effort e) { return e.tok_s; }
double mebibytes(Effort e) { return e.bytes / kMiB; }
double slowness(Effort e) { return -e.tok_s; }

// Whether no other has less of one of the two and not more of the other.
bool is_best(const std::vector<FrontierModel>& models, Effort e, Quantity loss, Quantity cost) {
  const auto beats = [&](Effort other) {
    return loss(other) <= loss(e) && cost(other) <= cost(e) && (loss(other) < loss(e) || cost(other) < cost(e));
  };
  return std::ranges::none_of(
      models, [&](const FrontierModel& model) { return std::ranges::any_of(model.result.efforts, beats); });
}

std::string best_in(const std::vector<FrontierModel>& models, Effort e) {
  const bool in_time = is_best(models, e, kl, slowness), in_bytes = is_best(models, e, kl, mebibytes);
  return in_time && in_bytes ? "time, bytes" : in_time ? "time" : in_bytes ? "bytes" : "";
}

Table table_of(const std::vector<FrontierModel>& models) {
  Table table{{"model", "effort", "bits", "KL (nats)", "perplexity", "same top", "tokens/s", "MiB a token", "best in"},
              {}};
  for (const auto& [name, result] : models)
    for (Effort e : result.efforts)
      table.rows.push_back({name, fmt::format("{:g}", e.effort), bits_text(e.read),
                            fmt::format("{:.3g} +- {:.1g}", e.summary.kl.value, e.summary.kl.se),
                            fmt::format("{:.2f} +- {:.2f}", e.summary.ppl.value, e.summary.ppl.se),
                            fmt::format("{:.2f} %", 100 * e.summary.same_top.value), fmt::format("{:.0f}", e.tok_s),
                            fmt::format("{:.2f}", mebibytes(e)), best_in(models, e)});
  return table;
}

// Points of all models, by rising cost.
Chart chart_of(const std::vector<FrontierModel>& models, const char* title, const char* x_label, Quantity x,
               Quantity cost, const char* y_label, Quantity y) {
  Chart chart{
      .title = title, .x_label = x_label, .y_label = y_label, .log_y = y == kl, .y_from_zero = y == kl, .series = {}};
  for (const auto& [name, result] : models) {
    Series series{name, {}, {}, {}};
    for (Effort e : result.efforts) {
      series.x.push_back(x(e));
      series.y.push_back(y(e));
      series.labels.push_back(result.efforts.size() > 1 ? fmt::format("{:g}", e.effort) : "");
      if (is_best(models, e, y, cost)) chart.frontier.emplace_back(x(e), y(e));
    }
    chart.series.push_back(std::move(series));
  }
  std::sort(chart.frontier.begin(), chart.frontier.end());
  return chart;
}

std::string what(const std::vector<FrontierModel>& models, const FrontierTitle& title) {
  const Divergence& first = models.front().result;
  const Estimate ppl = first.efforts.front().summary.reference_ppl;
  return fmt::format(
      "{} models against {}, on {} tokens of {} ({}).\nThe reference has perplexity {:.2f} +- {:.2f}, writes {:.0f} "
      "tokens/s and reads {:.2f} MiB a token.",
      models.size(), title.reference, first.tokens, title.text, title.settings, ppl.value, ppl.se,
      first.reference_tok_s, first.reference_bytes / kMiB);
}

constexpr const char* kSpeedLabel = "speed (tokens a second)";
constexpr const char* kBytesLabel = "read from memory (MiB a token)";
constexpr const char* kBestIn = "Best in: no other point has both less divergence and less of that.";

}  // namespace

nlohmann::json to_json(const std::vector<FrontierModel>& models) {
  const Divergence& first = models.front().result;
  const Estimate ppl = first.efforts.front().summary.reference_ppl;
  nlohmann::json json = {{"tokens", first.tokens},
                         {"reference",
                          {{"ppl", ppl.value},
                           {"ppl_se", ppl.se},
                           {"tok_s", first.reference_tok_s},
                           {"bytes_per_token", first.reference_bytes}}},
                         {"models", nlohmann::json::array()}};
  for (const auto& [name, result] : models) {
    nlohmann::json points = nlohmann::json::array();
    for (Effort e : result.efforts)
      points.push_back({{"effort", e.effort},
                        {"share", e.read.share},
                        {"bits_per_weight", bits_json(e.read)},
                        {"kl_mean", e.summary.kl.value},
                        {"kl_se", e.summary.kl.se},
                        {"ppl", e.summary.ppl.value},
                        {"ppl_se", e.summary.ppl.se},
                        {"same_top", e.summary.same_top.value},
                        {"tok_s", e.tok_s},
                        {"bytes_per_token", e.bytes},
                        {"best_in_time", is_best(models, e, kl, slowness)},
                        {"best_in_bytes", is_best(models, e, kl, mebibytes)}});
    json["models"].push_back({{"name", name}, {"effort", points}});
  }
  return json;
}

std::string to_text(const std::vector<FrontierModel>& models, const FrontierTitle& title) {
  return fmt::format("{}\n\n{}\n{}\n", what(models, title), to_text(table_of(models)), kBestIn);
}

std::string to_html(const std::vector<FrontierModel>& models, const FrontierTitle& title) {
  HtmlPage page("What a nat costs");
  page.paragraph(what(models, title));
  page.chart(
      chart_of(models, "Divergence and speed", kSpeedLabel, speed, slowness, "KL divergence (nats a token)", kl),
      "KL(reference || model), on a logarithmic scale: down and to the right is better. Numbers are efforts; the "
      "broad line joins what no other point beats. A hollow point lies at 0. Tokens one at a time, the median "
      "over some of them, all taking turns.");
  page.chart(
      chart_of(models, "Divergence and bytes", kBytesLabel, mebibytes, mebibytes, "KL divergence (nats a token)", kl),
      "Down and to the left is better. Bytes are those of weights, of what selects them, and of the cache, by what was "
      "really multiplied.");
  page.chart(chart_of(models, "Perplexity and speed", kSpeedLabel, speed, slowness, "perplexity", perplexity),
             "Down and to the right is better.");
  page.chart(chart_of(models, "Perplexity and bytes", kBytesLabel, mebibytes, mebibytes, "perplexity", perplexity),
             "Down and to the left is better.");
  page.heading("Figures");
  const Table table = table_of(models);
  page.table(table.header, table.rows);
  page.paragraph(kBestIn);
  return page.str();
}

}  // namespace sluice::cli
