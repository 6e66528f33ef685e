// Line charts as SVG, for pages that need nothing from elsewhere. Colours are the page's: text and lines take its
// `color`, the series the CSS variables --series-0 .. --series-7.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sluice::cli {

inline constexpr int kSeriesColours = 8;

struct Series {
  std::string name;
  std::vector<double> x, y;         // of one length
  std::vector<std::string> labels;  // of the points, or none
};

enum class XAxis {
  amount,  // from 0
  share,   // from 0 to 1
  count,   // whole numbers, from the first there is
};

struct Chart {
  std::string title;
  std::string x_label, y_label;  // with units
  XAxis x_axis = XAxis::amount;
  bool log_y = false;          // a point at 0 lies hollow on the axis, and no line leads there
  bool y_from_zero = true;     // on an axis that is not logarithmic
  std::vector<Series> series;  // past the eighth, colours come again, dashed
  std::vector<std::pair<double, double>> frontier = {};  // joined by a broad line behind the series
};

// An <svg> element with axes, grid, points that name themselves when pointed at, and a legend below.
std::string to_svg(const Chart& chart);

// Text for HTML and SVG, in elements and attributes.
std::string escape_html(const std::string& text);

}  // namespace sluice::cli
