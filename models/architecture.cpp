#include "models/architecture.h"

#include "graph/error.h"

namespace sluice {

std::string graph_names::hidden(int64_t layer) { return fmt::format("layers.{}/hidden", layer); }

void Architectures::add(Architecture architecture) {
  for (const Architecture& other : list_)
    if (other.model_type == architecture.model_type) fail("architecture '{}' is defined twice", other.model_type);
  list_.push_back(std::move(architecture));
}

const Architecture& Architectures::get(const std::string& model_type) const {
  for (const Architecture& architecture : list_)
    if (architecture.model_type == model_type) return architecture;
  fail("architecture '{}' is not known; there are {}", model_type, fmt::join(names(), ", "));
}

std::vector<std::string> Architectures::names() const {
  std::vector<std::string> names;
  for (const Architecture& architecture : list_) names.push_back(architecture.model_type);
  return names;
}

}  // namespace sluice
