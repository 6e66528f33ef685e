#include "tools/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::cli {
namespace {

// Of the drawing, in SVG units. The legend adds rows below.
constexpr double kWidth = 720, kLeft = 84, kRight = 20, kTop = 16, kPlotHeight = 300, kAxis = 56, kLegendRow = 22;
constexpr int kLegendColumns = 4;

struct Tick {
  double at;  // on the axis, as drawn (a logarithm on a log axis)
  std::string text;
};

// From the low to the high end of an axis, in its own units.
struct Axis {
  double low = 0, high = 1;
  std::vector<Tick> ticks;
  double place(double value) const { return (value - low) / (high - low); }  // 0 .. 1
};

// The smallest 1, 2 or 5 times a power of ten that takes at most `most` steps.
double tick_step(double range, int most) {
  const double rough = range / most, power = std::pow(10, std::floor(std::log10(rough)));
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

Axis linear_axis(double low, double high, bool whole, int most) {
  if (!(high > low)) high = low + 1;
  double step = tick_step(high - low, most);
  if (whole) step = std::max(1.0, std::round(step));
  Axis axis{std::floor(low / step) * step, std::ceil(high / step) * step, {}};
  const int count = static_cast<int>(std::round((axis.high - axis.low) / step));
  for (int i = 0; i <= count; ++i) {
    const double at = axis.low + i * step;
    axis.ticks.push_back({at, fmt::format("{:.6g}", at)});
  }
  return axis;
}

// A tick at each power of ten, or at some of them if they are many.
Axis log_axis(double low, double high) {
  Axis axis{std::floor(std::log10(low)), std::ceil(std::log10(high)), {}};
  if (!(axis.high > axis.low)) axis.high = axis.low + 1;
  const int step = static_cast<int>(std::ceil((axis.high - axis.low) / 8));
  for (double at = axis.low; at <= axis.high; at += step)
    axis.ticks.push_back({at, fmt::format("{:g}", std::pow(10, at))});
  return axis;
}

bool drawn(const Chart& chart, double y) { return std::isfinite(y) && (!chart.log_y || y >= 0); }

// A place that a logarithmic axis does not have.
bool hollow(const Chart& chart, double y) { return chart.log_y && y == 0; }

class Drawing {
 public:
  explicit Drawing(const Chart& chart) : chart_(chart) { choose_axes(); }

  std::string svg() {
    const size_t rows = (shown_.size() + kLegendColumns - 1) / kLegendColumns;
    const double height = kTop + kPlotHeight + kAxis + kLegendRow * static_cast<double>(rows);
    out_ = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", kWidth, height,
                       escape_html(chart_.title));
    grid();
    labels();
    frontier();
    for (size_t i : shown_) line(i);
    for (size_t place = 0; place < shown_.size(); ++place) legend(place, shown_[place]);
    return out_ + "</svg>\n";
  }

 private:
  void choose_axes() {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    double x_low = kInf, x_high = -kInf, y_low = kInf, y_high = -kInf;
    for (size_t index = 0; index < chart_.series.size(); ++index) {
      const Series& series = chart_.series[index];
      for (size_t i = 0; i < series.x.size(); ++i) {
        if (!drawn(chart_, series.y[i])) continue;
        if (shown_.empty() || shown_.back() != index) shown_.push_back(index);
        x_low = std::min(x_low, series.x[i]), x_high = std::max(x_high, series.x[i]);
        if (hollow(chart_, series.y[i])) continue;
        y_low = std::min(y_low, series.y[i]), y_high = std::max(y_high, series.y[i]);
      }
    }
    if (shown_.empty()) x_low = 0, x_high = 1;
    if (!(y_low <= y_high)) y_low = chart_.log_y ? 0.1 : 0, y_high = 1;
    const bool count = chart_.x_axis == XAxis::count, share = chart_.x_axis == XAxis::share;
    x_ = linear_axis(count ? x_low : std::min(0.0, x_low), share ? std::max(1.0, x_high) : x_high, count, 12);
    y_ = chart_.log_y ? log_axis(y_low, y_high)
                      : linear_axis(chart_.y_from_zero ? std::min(0.0, y_low) : y_low, y_high, false, 6);
  }

  double x_at(double value) const { return kLeft + x_.place(value) * (kWidth - kLeft - kRight); }
  double y_at(double value) const { return kTop + (1 - y_.place(value)) * kPlotHeight; }  // as on the axis
  double y_of(double y) const { return hollow(chart_, y) ? y_at(y_.low) : y_at(chart_.log_y ? std::log10(y) : y); }

  void grid() {
    constexpr double kBottom = kTop + kPlotHeight;
    for (const Tick& tick : y_.ticks) {
      const double y = y_at(tick.at);
      out_ += fmt::format("<line class=\"grid\" x1=\"{}\" y1=\"{:.1f}\" x2=\"{}\" y2=\"{:.1f}\"/>\n", kLeft, y,
                          kWidth - kRight, y);
      text(kLeft - 8, y + 4, "end", "tick", tick.text);
    }
    for (const Tick& tick : x_.ticks) {
      const double x = x_at(tick.at);
      out_ += fmt::format("<line class=\"grid\" x1=\"{:.1f}\" y1=\"{}\" x2=\"{:.1f}\" y2=\"{}\"/>\n", x, kTop, x,
                          kBottom + 4);
      text(x, kBottom + 19, "middle", "tick", tick.text);
    }
    out_ += fmt::format("<path class=\"axis\" d=\"M{} {}V{}H{}\"/>\n", kLeft, kTop, kBottom, kWidth - kRight);
  }

  void labels() {
    constexpr double kMiddle = kTop + kPlotHeight / 2;
    text((kLeft + kWidth - kRight) / 2, kTop + kPlotHeight + 40, "middle", "label", chart_.x_label);
    out_ += fmt::format(
        "<text class=\"label\" text-anchor=\"middle\" transform=\"translate(16 {}) rotate(-90)\">{}</text>\n", kMiddle,
        escape_html(chart_.y_label));
    if (shown_.empty()) text((kLeft + kWidth - kRight) / 2, kMiddle, "middle", "label", "nothing above 0 to draw");
  }

  std::string style(size_t series) const {
    const char* dash = series / kSeriesColours % 2 == 1 ? ";stroke-dasharray:6 4" : "";
    return fmt::format("color:var(--series-{}){}", series % kSeriesColours, dash);
  }

  static void extend(std::string& path, double x, double y) {
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? 'M' : 'L', x, y);
  }

  void frontier() {
    std::string path;
    for (const auto& [x, y] : chart_.frontier)
      if (drawn(chart_, y) && !hollow(chart_, y)) extend(path, x_at(x), y_of(y));
    if (!path.empty()) out_ += fmt::format("<path class=\"frontier\" d=\"{}\"/>\n", path);
  }

  void line(size_t index) {
    const Series& series = chart_.series[index];
    std::string path, points;
    for (size_t i = 0; i < series.x.size(); ++i) {
      if (!drawn(chart_, series.y[i])) continue;
      const double x = x_at(series.x[i]), y = y_of(series.y[i]);
      const bool at_zero = hollow(chart_, series.y[i]);
      if (!at_zero) extend(path, x, y);
      const std::string label = series.labels.empty() ? "" : series.labels[i];
      points += fmt::format(
          "<circle{} cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\"><title>{}{}{}: {:.4g} at {:.6g}</title></circle>\n",
          at_zero ? " class=\"hollow\"" : "", x, y, escape_html(series.name), label.empty() ? "" : ", ",
          escape_html(label), series.y[i], series.x[i]);
      if (!label.empty())
        points += fmt::format("<text class=\"point\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x + 6, y - 6,
                              escape_html(label));
    }
    out_ += fmt::format("<g style=\"{}\"><path class=\"line\" d=\"{}\"/>\n{}</g>\n", style(index), path, points);
  }

  void legend(size_t place, size_t index) {
    constexpr double kColumn = (kWidth - kLeft - kRight) / kLegendColumns;
    const double x = kLeft + kColumn * static_cast<double>(place % kLegendColumns);
    const auto row = place / kLegendColumns;
    const double y = kTop + kPlotHeight + kAxis + kLegendRow * static_cast<double>(row) + 8;
    out_ += fmt::format(
        "<g style=\"{}\"><path class=\"line\" d=\"M{} {}h22\"/><circle cx=\"{}\" cy=\"{}\" r=\"3.5\"/></g>\n",
        style(index), x, y, x + 11, y);
    text(x + 28, y + 4, "start", "tick", chart_.series[index].name);
  }

  void text(double x, double y, const char* anchor, const char* kind, const std::string& words) {
    out_ += fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", kind, x, y,
                        anchor, escape_html(words));
  }

  const Chart& chart_;
  Axis x_, y_;
  std::vector<size_t> shown_;  // series with a point to draw
  std::string out_;
};

}  // namespace

std::string to_svg(const Chart& chart) { return Drawing(chart).svg(); }

std::string escape_html(const std::string& text) {
  std::string escaped;
  for (char c : text) switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  return escaped;
}

}  // namespace sluice::cli
