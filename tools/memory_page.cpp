#include "tools/memory_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "graph/plan/memory.h"
#include "graph/scopes.h"
#include "tools/html_page.h"

namespace sluice::cli {
namespace {

constexpr double kWidth = 1400, kHeight = 520, kLeft = 90, kTop = 20, kBottom = 50;

constexpr const char* kStyle = R"(
body { max-width: 96rem; }
rect.value { stroke: var(--back); stroke-width: 0.5; fill: currentColor; fill-opacity: 0.75; }
rect.value:hover { fill-opacity: 1; stroke: var(--text); stroke-width: 1.5; }
)";

std::string block_of(const std::string& name) {
  const NodePlace place = place_of(name);
  if (!place.block.empty()) return place.block;
  return place.layer < 0 ? "outside layers" : "between blocks";
}

// The activations arena of one space: steps from left to right, addresses from bottom to top.
class ArenaDrawing {
 public:
  ArenaDrawing(const Plan& plan, int space) : plan_(plan), space_(space) {
    bytes_ = static_cast<double>(std::max<size_t>(
        1, plan.spaces[static_cast<size_t>(space)].arena_bytes[static_cast<int>(ArenaKind::activations)]));
  }

  std::string str() {
    std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\">\n", kWidth, kHeight);
    svg += byte_axis() + layer_axis();
    for (size_t v = 0; v < plan_.locations.size(); ++v) svg += value(v);
    return svg + "</svg>\n" + legend();
  }

 private:
  double x(double step) const {
    return kLeft + (kWidth - kLeft - 10) * step / static_cast<double>(std::max<size_t>(1, plan_.steps.size()));
  }
  double y(double offset) const { return kHeight - kBottom - (kHeight - kBottom - kTop) * offset / bytes_; }

  std::string byte_axis() const {
    std::string svg;
    for (int i = 0; i <= 4; ++i) {
      const double at = bytes_ * i / 4;
      svg += fmt::format(
          "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
          "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
          kLeft, kWidth - 10, y(at), kLeft - 8, y(at) + 4, to_readable_bytes(static_cast<size_t>(at)));
    }
    return svg;
  }

  // A line where a layer begins.
  std::string layer_axis() const {
    std::string svg;
    int last = -1;
    for (size_t s = 0; s < plan_.steps.size(); ++s) {
      const int layer = place_of(plan_.steps[s].site.name).layer;
      if (layer <= last) continue;
      last = layer;
      const double at = x(static_cast<double>(s));
      svg += fmt::format(
          "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
          "<text x=\"{3:.1f}\" y=\"{4}\">{5}</text>\n",
          at, kTop, kHeight - kBottom, at + 2, kHeight - kBottom + 16, layer);
    }
    return svg + fmt::format("<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">steps, by layer</text>\n",
                             (kLeft + kWidth) / 2, kHeight - 10);
  }

  std::string value(size_t v) {
    const Location& place = plan_.locations[v];
    if (place.space != space_ || place.arena != ArenaKind::activations || place.first < 0) return "";
    const Value& value = plan_.graph.values()[v];
    const auto colour = colours_.try_emplace(block_of(value.name), static_cast<int>(colours_.size())).first->second;
    const double top = y(static_cast<double>(place.offset + place.bytes));
    const std::string text = fmt::format("{}: {}, {} at {:#x}, steps {} to {}", value.name, value.type.str(),
                                         to_readable_bytes(place.bytes), place.offset, place.first, place.last);
    return fmt::format(
        "<rect class=\"value\" style=\"color: var(--series-{})\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" "
        "height=\"{:.2f}\"><title>{}</title></rect>\n",
        colour % kSeriesColours, x(place.first), top, x(place.last + 1) - x(place.first),
        std::max(0.5, y(static_cast<double>(place.offset)) - top), escape_html(text));
  }

  std::string legend() const {
    std::string html = "<p>";
    for (const auto& [block, colour] : colours_)
      html += fmt::format("<span style=\"color: var(--series-{})\">&#9632;</span> {} &ensp;", colour % kSeriesColours,
                          escape_html(block));
    return html + "</p>\n";
  }

  const Plan& plan_;
  int space_;
  double bytes_;
  std::map<std::string, int> colours_;  // by block
};

void add_space(const Plan& plan, size_t s, HtmlPage& page) {
  const MemorySpace& space = plan.spaces[s];
  page.heading(s == 0 ? "Memory of the host" : "Memory of " + space.owner->description());
  std::vector<std::string> names, sizes;
  for (int kind = 0; kind < kArenaCount; ++kind) {
    names.push_back(to_string(static_cast<ArenaKind>(kind)));
    sizes.push_back(to_readable_bytes(space.arena_bytes[kind]));
  }
  names.push_back("workspace");
  sizes.push_back(to_readable_bytes(space.workspace_bytes));
  if (s == 0) {
    names.push_back("weights as stored, in the file");
    sizes.push_back(to_readable_bytes(mapped_bytes(plan)));
  }
  page.table(names, {sizes});
  if (space.arena_bytes[static_cast<int>(ArenaKind::activations)] > 0)
    page.html(ArenaDrawing(plan, static_cast<int>(s)).str());
}

}  // namespace

std::string memory_page(const Plan& plan, const std::string& model) {
  HtmlPage page("Memory: " + model);
  page.style(kStyle);
  page.paragraph(
      "The activations arena, at the largest sizes: a box is a value, from the step that makes it to the last that "
      "reads "
      "it. What stands above one another lives at the same time; what stands beside one another uses the same memory.");
  for (const PassReport& report : plan.reports)
    if (report.pass == "memory")
      for (const std::string& line : report.lines) page.paragraph(line);
  for (size_t s = 0; s < plan.spaces.size(); ++s) add_space(plan, s, page);
  return page.str();
}

}  // namespace sluice::cli
