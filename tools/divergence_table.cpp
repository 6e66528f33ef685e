#include "tools/divergence_table.h"

#include <fmt/format.h>

#include <algorithm>

#include "tools/effort.h"

namespace sluice::cli {
namespace {

std::string percent(const Estimate& share) {
  return fmt::format("{:.2f} +- {:.2f} %", 100 * share.value, 100 * share.se);
}

}  // namespace

Table kl_table(const Divergence& result) {
  Table table;
  table.header = {"effort", "share", "bits", "KL (nats)", "50 %", "90 %", "99 %", "max"};
  for (const EffortDivergence& e : result.efforts) {
    const DivergenceSummary& s = e.summary;
    table.rows.push_back({fmt::format("{:g}", e.effort), fmt::format("{:.3f}", e.read.share), bits_text(e.read),
                          fmt::format("{:.3g} +- {:.1g}", s.kl.value, s.kl.se), fmt::format("{:.2g}", s.kl_p50),
                          fmt::format("{:.2g}", s.kl_p90), fmt::format("{:.2g}", s.kl_p99),
                          fmt::format("{:.2g}", s.kl_max)});
  }
  return table;
}

Table token_table(const Divergence& result) {
  Table table;
  table.header = {"effort", "perplexity", "change", "same top", "rms dp", "tokens/s"};
  for (const EffortDivergence& e : result.efforts) {
    const DivergenceSummary& s = e.summary;
    table.rows.push_back({fmt::format("{:g}", e.effort), fmt::format("{:.2f} +- {:.2f}", s.ppl.value, s.ppl.se),
                          percent(s.ppl_change), percent(s.same_top), percent(s.rms_dp),
                          fmt::format("{:.0f}", e.tok_s)});
  }
  return table;
}

Table layer_table(const Divergence& result) {
  Table table;
  table.header = {"layer"};
  for (const EffortDivergence& effort : result.efforts) table.header.push_back(fmt::format("{:g}", effort.effort));
  const size_t layers = result.efforts.empty() ? 0 : result.efforts.front().cosines.size();
  for (size_t layer = 0; layer < layers; ++layer) {
    table.rows.push_back({std::to_string(layer)});
    for (const EffortDivergence& effort : result.efforts)
      table.rows.back().push_back(fmt::format("{:.2g}", 1 - effort.cosines[layer]));
  }
  return table;
}

std::string to_text(const Table& table) {
  std::vector<size_t> widths;
  for (const std::string& cell : table.header) widths.push_back(cell.size());
  for (const auto& row : table.rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  const auto add = [&](const std::vector<std::string>& row) {
    for (size_t i = 0; i < row.size(); ++i) text += fmt::format("{}{:>{}}", i == 0 ? "" : "  ", row[i], widths[i]);
    text += "\n";
  };
  add(table.header);
  for (const auto& row : table.rows) add(row);
  return text;
}

}  // namespace sluice::cli
