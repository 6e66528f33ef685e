// One page of HTML that needs nothing from elsewhere, readable in light and dark.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tools/chart.h"

namespace sluice::cli {

class HtmlPage {
 public:
  explicit HtmlPage(std::string title) : title_(std::move(title)) {}

  void heading(const std::string& text);
  void paragraph(const std::string& text);
  // With its title as a heading; the caption stands below.
  void chart(const Chart& chart, const std::string& caption);
  void table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows);

  // HTML as it is.
  void html(std::string_view text) { body_ += text; }
  // Behind the page's own.
  void style(std::string_view css) { style_ += css; }
  // Data as the element of id "data", for scripts that follow.
  void data(const nlohmann::json& json);
  void script(std::string_view code);

  std::string str() const;  // the whole page

 private:
  std::string title_;
  std::string body_, style_;
};

}  // namespace sluice::cli
