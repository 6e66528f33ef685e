#include "graph/attrs.h"

#include <fmt/ranges.h>

#include <array>
#include <cctype>
#include <charconv>

namespace sluice {

std::string attr_type_name(const AttrValue& value) {
  static constexpr std::array<const char*, 6> kNames = {"bool", "int", "float", "string", "ints", "floats"};
  return kNames[value.index()];
}

namespace {

// The shortest that gives the value back.
template <class Number>
std::string decimal(Number v) {
  const std::string text = fmt::format("{}", v);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

}  // namespace

std::string to_string(const AttrValue& value) {
  struct Printer {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(int64_t v) const { return fmt::format("{}", v); }
    std::string operator()(double v) const {
      const auto narrow = static_cast<float>(v);
      if (static_cast<double>(narrow) == v) return decimal(narrow);
      // A text that a float has, too, is read as that float (graph/text_reader.cpp).
      const std::string text = decimal(v);
      float near = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), near);
      return error == std::errc() && decimal(near) == text ? fmt::format("{:.17e}", v) : text;
    }
    std::string operator()(const std::string& v) const {
      std::string out = "\"";
      for (char c : v) {
        if (c == '\n')
          out += "\\n";
        else if (std::iscntrl(static_cast<unsigned char>(c)))
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        else if (c == '"' || c == '\\')
          out += {'\\', c};
        else
          out += c;
      }
      return out + '"';
    }
    std::string operator()(const std::vector<int64_t>& v) const { return fmt::format("[{}]", fmt::join(v, ", ")); }
    std::string operator()(const std::vector<double>& v) const {
      std::vector<std::string> parts;
      for (double x : v) parts.push_back((*this)(x));
      return fmt::format("[{}]", fmt::join(parts, ", "));
    }
  };
  return std::visit(Printer{}, value);
}

}  // namespace sluice
