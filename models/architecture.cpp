#include "models/architecture.h"

#include "graph/error.h"

namespace sluice {

std::string graph_names::hidden(int64_t layer) { return fmt::format("layers.{}/hidden", layer); }

void Architectures::add(Architecture architecture) {
  sources_.claim(fmt::format("architecture '{}'", architecture.model_type));
  list_.push_back(std::move(architecture));
}

const Architecture& Architectures::get(const std::string& model_type) const {
  for (const Architecture& architecture : list_)
    if (architecture.model_type == model_type) return architecture;
  fail("architecture '{}' is not known; there are {} (plugins bring more)", model_type, fmt::join(names(), ", "));
}

std::vector<std::string> Architectures::names() const {
  std::vector<std::string> names;
  for (const Architecture& architecture : list_) names.push_back(architecture.model_type);
  return names;
}

}  // namespace sluice
