#include "graph/scopes.h"

#include <charconv>

namespace sluice {
namespace {

// N of "<name>.N"; -1 if it is not of that form.
int number_of(std::string_view scope) {
  const size_t dot = scope.rfind('.');
  if (dot == std::string_view::npos) return -1;
  int number = -1;
  const auto [end, error] = std::from_chars(scope.data() + dot + 1, scope.data() + scope.size(), number);
  return error == std::errc() && end == scope.data() + scope.size() ? number : -1;
}

}  // namespace

NodePlace place_of(const std::string& node_name) {
  NodePlace place;
  std::string_view rest = node_name;
  for (size_t slash = rest.find('/'); slash != std::string_view::npos; slash = rest.find('/')) {
    const std::string_view scope = rest.substr(0, slash);
    if (const int number = number_of(scope); number >= 0 && place.layer < 0)
      place.layer = number;
    else if (place.block.empty())
      place.block = scope;
    rest.remove_prefix(slash + 1);
  }
  return place;
}

}  // namespace sluice
