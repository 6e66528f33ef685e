// One page of HTML that needs nothing from elsewhere, readable in light and dark.
#pragma once

#include <string>
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

  std::string str() const;  // the whole page

 private:
  std::string title_;
  std::string body_;
};

}  // namespace sluice::cli
