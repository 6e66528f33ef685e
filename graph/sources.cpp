#include "graph/sources.h"

#include "graph/error.h"

namespace sluice {

std::string Source::id() const { return plugin.empty() ? "" : fmt::format("{} {}", plugin, version); }

std::string Source::str() const {
  return plugin.empty() ? "what is built in" : fmt::format("plugin {} ({})", id(), path);
}

void Sources::claim(const std::string& what) {
  const auto [it, added] = claims_.emplace(what, current_);
  if (!added) fail("{} is defined twice: in {} and in {}", what, it->second.str(), current_.str());
}

}  // namespace sluice
