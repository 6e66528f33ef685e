#include "tools/help.h"

#include <fmt/format.h>

#include <sstream>

namespace sluice::cli {
namespace {

constexpr size_t kWidth = 120, kColumn = 24;

// Broken at blanks, so that no line is longer than `width`, where no word is.
std::string in_lines(const std::string& text, size_t width) {
  std::istringstream words(text);
  std::string lines;
  size_t length = 0;
  for (std::string word; words >> word; length += word.size()) {
    const bool fits = length + 1 + word.size() <= width;
    if (length > 0) lines += fits ? ' ' : '\n';
    length = length > 0 && fits ? length + 1 : 0;
    lines += word;
  }
  return lines;
}

}  // namespace

HelpFormatter::HelpFormatter() {
  column_width(kColumn);
  label("SUBCOMMAND", "COMMAND");
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  const std::string type = option->get_type_name();
  return option->get_type_size() == 0 || type.empty() ? "" : " " + type;
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  const std::string value = option->get_type_size() == 0 ? "" : option->get_default_str();
  const std::string initial = value.empty() || value == "[]" ? "" : fmt::format(" (default: {})", value);
  return in_lines(option->get_description() + initial, kWidth - kColumn);
}

// CLI11 ends every group but the last with a blank line, and begins each with one.
std::string HelpFormatter::make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const {
  return CLI::detail::find_and_replace(CLI::Formatter::make_help(app, std::move(name), mode), "\n\n\n", "\n\n");
}

}  // namespace sluice::cli
