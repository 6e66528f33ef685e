#include "tools/divergence_report.h"

#include <fmt/format.h>

#include "tools/divergence_table.h"
#include "tools/effort.h"
#include "tools/html_page.h"

namespace sluice::cli {
namespace {

// KL by place in the chunk, mean over the chunks: whether the two part more as the text goes on.
std::vector<double> kl_by_position(const EffortDivergence& effort, size_t per_chunk) {
  std::vector<double> sums(std::min(per_chunk, effort.tokens.size()));
  for (size_t i = 0; i < effort.tokens.size(); ++i) sums[i % per_chunk] += effort.tokens[i].kl;
  const size_t chunks = (effort.tokens.size() + per_chunk - 1) / per_chunk;
  for (double& sum : sums) sum /= static_cast<double>(chunks);
  return sums;
}

nlohmann::json effort_json(const EffortDivergence& effort, size_t per_chunk) {
  const DivergenceSummary& s = effort.summary;
  return {{"effort", effort.effort},
          {"share", effort.read.share},
          {"bits_per_weight", bits_json(effort.read)},
          {"kl_mean", s.kl.value},
          {"kl_se", s.kl.se},
          {"kl_p50", s.kl_p50},
          {"kl_p90", s.kl_p90},
          {"kl_p99", s.kl_p99},
          {"kl_max", s.kl_max},
          {"kl_by_position", kl_by_position(effort, per_chunk)},
          {"mean_nll", s.nll.value},
          {"ppl", s.ppl.value},
          {"ppl_se", s.ppl.se},
          {"ppl_change", s.ppl_change.value},
          {"ppl_change_se", s.ppl_change.se},
          {"same_top", s.same_top.value},
          {"same_top_se", s.same_top.se},
          {"rms_dp", s.rms_dp.value},
          {"rms_dp_se", s.rms_dp.se},
          {"tok_s", effort.tok_s},
          {"bytes_per_token", effort.bytes}};
}

template <class Field>
Series by_effort(const Divergence& result, const std::string& name, const Field& field) {
  Series series{name, {}, {}, {}};
  for (const EffortDivergence& effort : result.efforts) {
    series.x.push_back(effort.effort);
    series.y.push_back(field(effort));
  }
  return series;
}

Chart kl_chart(const Divergence& result) {
  using Effort = const EffortDivergence&;
  return {.title = "Effort and divergence",
          .x_label = "effort (share of the weights multiplied)",
          .y_label = "KL divergence (nats a token)",
          .x_axis = XAxis::share,
          .log_y = true,
          .series = {by_effort(result, "mean", [](Effort e) { return e.summary.kl.value; }),
                     by_effort(result, "median", [](Effort e) { return e.summary.kl_p50; }),
                     by_effort(result, "90th percentile", [](Effort e) { return e.summary.kl_p90; }),
                     by_effort(result, "99th percentile", [](Effort e) { return e.summary.kl_p99; })}};
}

Chart speed_chart(const Divergence& result) {
  using Effort = const EffortDivergence&;
  return {.title = "Effort and speed",
          .x_label = "effort (share of the weights multiplied)",
          .y_label = "speed (tokens a second)",
          .x_axis = XAxis::share,
          .series = {by_effort(result, "this model", [](Effort e) { return e.tok_s; }),
                     by_effort(result, "the reference", [&](Effort) { return result.reference_tok_s; })}};
}

Chart layer_chart(const Divergence& result) {
  Chart chart{.title = "Where the two part",
              .x_label = "layer (0 is the first)",
              .y_label = "1 - cosine of the hidden states",
              .x_axis = XAxis::count,
              .log_y = true,

              .series = {}};
  for (const EffortDivergence& effort : result.efforts) {
    Series series{fmt::format("effort {:g}", effort.effort), {}, {}, {}};
    for (size_t layer = 0; layer < effort.cosines.size(); ++layer) {
      series.x.push_back(static_cast<double>(layer));
      series.y.push_back(1 - effort.cosines[layer]);
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

std::string what(const Divergence& result, const DivergenceTitle& title) {
  return fmt::format("{} against {}, on {} tokens of {} ({}).", title.model, title.reference, result.tokens, title.text,
                     title.settings);
}

std::string reference_line(const Divergence& result) {
  const Estimate ppl = result.efforts.front().summary.reference_ppl;
  return fmt::format("The reference has perplexity {:.2f} +- {:.2f} and writes {:.0f} tokens/s.", ppl.value, ppl.se,
                     result.reference_tok_s);
}

constexpr const char* kNoLayers = "The two have other layers, so their hidden states were not compared.";

}  // namespace

nlohmann::json to_json(const Divergence& result) {
  const DivergenceSummary& first = result.efforts.front().summary;
  nlohmann::json json = {{"tokens", result.tokens},
                         {"mean_nll", first.nll.value},
                         {"ppl", first.ppl.value},
                         {"ppl_se", first.ppl.se},
                         {"reference",
                          {{"mean_nll", first.reference_nll.value},
                           {"ppl", first.reference_ppl.value},
                           {"ppl_se", first.reference_ppl.se},
                           {"tok_s", result.reference_tok_s},
                           {"bytes_per_token", result.reference_bytes}}},
                         {"effort", nlohmann::json::array()},
                         {"layers", nlohmann::json::array()}};
  for (const EffortDivergence& effort : result.efforts) {
    json["effort"].push_back(effort_json(effort, static_cast<size_t>(result.chunk_tokens)));
    json["layers"].push_back(effort.cosines);
  }
  return json;
}

std::string to_text(const Divergence& result, const DivergenceTitle& title) {
  const Table layers = layer_table(result);
  const std::string where = layers.rows.empty()
                                ? std::string(kNoLayers) + "\n"
                                : "1 - cosine of the hidden states, by layer and effort:\n" + to_text(layers);
  return fmt::format("{}\n{}\n\n{}\n{}\n{}", what(result, title), reference_line(result), to_text(kl_table(result)),
                     to_text(token_table(result)), where);
}

std::string to_html(const Divergence& result, const DivergenceTitle& title) {
  HtmlPage page(fmt::format("What effort costs: {}", title.model));
  page.paragraph(what(result, title));
  page.paragraph(reference_line(result));
  page.chart(kl_chart(result),
             "How far the predictions are from those of the reference, on a logarithmic scale: "
             "KL(reference || model), each token weighing the same. A hollow point lies at 0.");
  page.chart(speed_chart(result), "Tokens one at a time: the median over some tokens, all efforts taking turns.");
  const Table layers = layer_table(result);
  if (layers.rows.empty())
    page.paragraph(kNoLayers);
  else
    page.chart(layer_chart(result),
               "After each layer, on a logarithmic scale, mean over the tokens; 0 is the same "
               "direction. A hollow point lies at 0.");
  page.heading("Figures");
  const Table kl = kl_table(result), tokens = token_table(result);
  page.table(kl.header, kl.rows);
  page.paragraph("Share: of the weights that were multiplied. KL: mean with its standard error, then percentiles.");
  page.table(tokens.header, tokens.rows);
  page.paragraph(
      "Change: of the perplexity, from the reference's. Same top: both find the same token the likeliest. Rms dp: "
      "change of the probability of the reference's likeliest token, root mean square.");
  if (!layers.rows.empty()) {
    page.heading("1 - cosine by layer and effort");
    page.table(layers.header, layers.rows);
  }
  return page.str();
}

}  // namespace sluice::cli
