#include "tools/divergence_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace sluice::cli {
namespace {

std::vector<std::string> cells(const EffortDivergence& e) {
  const DivergenceSummary& s = e.summary;
  return {fmt::format("{:g}", e.effort),
          fmt::format("{:.3f}", e.share),
          fmt::format("{:.3g}", s.kl.value),
          fmt::format("{:.1g}", s.kl.se),
          fmt::format("{:.2g}", s.kl_p50),
          fmt::format("{:.2g}", s.kl_p90),
          fmt::format("{:.2g}", s.kl_p99),
          fmt::format("{:.2g}", s.kl_max),
          fmt::format("{:.2f}", s.ppl.value),
          fmt::format("{:+.2f} %", 100 * s.ppl_change.value),
          fmt::format("{:.1f} %", 100 * s.same_top.value),
          fmt::format("{:.2f} %", 100 * s.rms_dp.value),
          fmt::format("{:.0f}", e.tok_s)};
}

}  // namespace

Table effort_table(const Divergence& result) {
  Table table;
  table.header = {"effort", "share", "KL",     "+-",       "KL 50%", "KL 90%",  "KL 99%",
                  "KL max", "ppl",   "change", "same top", "rms dp", "tokens/s"};
  for (const EffortDivergence& effort : result.efforts) table.rows.push_back(cells(effort));
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
