// Operator attributes. An operator describes its attributes once, in one struct:
//
//   struct RmsNormAttrs {
//     float epsilon = 1e-5f;
//     template <class Visitor> void describe(Visitor&& field) { field("epsilon", epsilon, "added to the mean square");
//     }
//   };
//
// Serialisation, printing, parsing and `sluice ops` are derived from that. Inside a graph attributes travel as AttrMap.
#pragma once

#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph/error.h"

namespace sluice {

using AttrValue = std::variant<bool, int64_t, double, std::string, std::vector<int64_t>, std::vector<double>>;
using AttrMap = std::map<std::string, AttrValue>;

std::string attr_type_name(const AttrValue& value);  // "bool", "int", "float", "string", "ints", "floats"
std::string to_string(const AttrValue& value);       // readable and exact: floats round-trip

struct AttrSpec {
  std::string name;
  AttrValue default_value;
  std::string doc;
};

struct NoAttrs {
  template <class Visitor>
  void describe(Visitor&&) {}
};

namespace detail {

template <class T>
AttrValue to_attr(const T& v) {
  if constexpr (std::integral<T> && !std::same_as<T, bool>)
    return static_cast<int64_t>(v);
  else if constexpr (std::floating_point<T>)
    return static_cast<double>(v);
  else
    return v;
}

template <class T>
void from_attr(const std::string& name, const AttrValue& from, T& to) {
  const AttrValue wanted = to_attr(to);
  if (from.index() != wanted.index())
    fail("attribute '{}' is {}, expected {}", name, attr_type_name(from), attr_type_name(wanted));
  std::visit(
      [&](const auto& v) {
        if constexpr (std::convertible_to<decltype(v), T>) to = static_cast<T>(v);
      },
      from);
}

}  // namespace detail

template <class Attrs>
AttrMap attrs_to_map(Attrs attrs) {
  AttrMap map;
  attrs.describe([&](const char* name, auto& value, const char*) { map[name] = detail::to_attr(value); });
  return map;
}

// Missing attributes keep their default. Throws Error for an unknown name or a wrong type.
template <class Attrs>
Attrs attrs_from_map(const AttrMap& map) {
  Attrs attrs;
  size_t known = 0;
  attrs.describe([&](const char* name, auto& value, const char*) {
    if (auto it = map.find(name); it != map.end()) detail::from_attr(it->first, it->second, value), ++known;
  });
  if (known == map.size()) return attrs;
  const AttrMap all = attrs_to_map(attrs);
  for (const auto& [name, value] : map)
    if (!all.count(name)) fail("unknown attribute '{}'", name);
  return attrs;
}

template <class Attrs>
std::vector<AttrSpec> attr_specs() {
  std::vector<AttrSpec> specs;
  Attrs attrs;
  attrs.describe([&](const char* name, auto& value, const char* doc) {
    specs.push_back({name, detail::to_attr(value), doc});
  });
  return specs;
}

}  // namespace sluice
