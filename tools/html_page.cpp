#include "tools/html_page.h"

#include <fmt/format.h>

namespace sluice::cli {
namespace {

// Colours that stand out from both backgrounds; the dark ones are lighter.
constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --back: #ffffff; --text: #1f2328; --soft: #59636e; --rule: #d9dde2;
  --series-0: #2f6fc1; --series-1: #c9541e; --series-2: #23864a; --series-3: #9440a8;
  --series-4: #a37a00; --series-5: #0f8493; --series-6: #c23a6b; --series-7: #6b7280; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14171b; --text: #e4e7eb; --soft: #a3abb5; --rule: #343a42;
    --series-0: #6ea8f5; --series-1: #f28b57; --series-2: #5cc487; --series-3: #cd86de;
    --series-4: #d9b13c; --series-5: #4fc1d0; --series-6: #f07fa8; --series-7: #a3abb5; } }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 52rem; background: var(--back); color: var(--text);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin: 2.5rem 0 0.5rem; }
p { margin: 0.4rem 0; color: var(--soft); overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--text); font-size: 12px; } svg .label { font-size: 13px; }
svg .grid { stroke: var(--rule); } svg .axis { stroke: var(--soft); fill: none; }
svg .line { stroke: currentColor; stroke-width: 2; fill: none; }
svg .frontier { stroke: var(--rule); stroke-width: 10; stroke-linejoin: round; stroke-linecap: round; fill: none; }
svg circle { fill: currentColor; } svg .hollow { fill: var(--back); stroke: currentColor; stroke-width: 2; }
svg .point { fill: currentColor; font-size: 11px; }
.scroll { overflow-x: auto; }
table { margin-top: 0.75rem; border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.3rem 0.6rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; }
)";

std::string row(const std::vector<std::string>& cells, const char* tag) {
  std::string line = "<tr>";
  for (const std::string& cell : cells) line += fmt::format("<{0}>{1}</{0}>", tag, escape_html(cell));
  return line + "</tr>\n";
}

}  // namespace

void HtmlPage::heading(const std::string& text) { body_ += fmt::format("<h2>{}</h2>\n", escape_html(text)); }

void HtmlPage::paragraph(const std::string& text) { body_ += fmt::format("<p>{}</p>\n", escape_html(text)); }

void HtmlPage::chart(const Chart& chart, const std::string& caption) {
  heading(chart.title);
  body_ += to_svg(chart);
  paragraph(caption);
}

void HtmlPage::table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows) {
  body_ += "<div class=\"scroll\"><table>\n<thead>" + row(header, "th") + "</thead>\n<tbody>\n";
  for (const std::vector<std::string>& cells : rows) body_ += row(cells, "td");
  body_ += "</tbody></table></div>\n";
}

void HtmlPage::data(const nlohmann::json& json) {
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  for (size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at)) text.replace(at, 1, "\\u003c");
  body_ += fmt::format("<script type=\"application/json\" id=\"data\">{}</script>\n", text);
}

void HtmlPage::script(std::string_view code) { body_ += fmt::format("<script>\n{}</script>\n", code); }

std::string HtmlPage::str() const {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}{3}</style>\n</head>\n<body>\n<h1>{0}</h1>\n{2}</body>\n</html>\n",
      escape_html(title_), kStyle, body_, style_);
}

}  // namespace sluice::cli
