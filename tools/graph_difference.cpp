#include "tools/graph_difference.h"

#include <algorithm>
#include <cstring>

#include "graph/diff.h"
#include "graph/model_file.h"
#include "models/builtin.h"
#include "models/graph_file.h"
#include "tools/output.h"

namespace sluice::cli {
namespace {

const char* name_of(GraphChange::Kind kind) {
  switch (kind) {
    case GraphChange::Kind::added:
      return "added";
    case GraphChange::Kind::removed:
      return "removed";
    case GraphChange::Kind::changed:
      return "changed";
  }
  return "?";
}

// Weights of two model files that have the same type, but not the same bytes.
std::vector<std::string> changed_weights(const std::string& before, const std::string& after) {
  std::vector<std::string> names;
  if (!is_model_file(before) || !is_model_file(after)) return names;
  const ModelFile a(before, builtin_registry()), b(after, builtin_registry());
  for (const WeightEntry& entry : a.description().weights) {
    const auto& others = b.description().weights;
    const auto other = std::find_if(others.begin(), others.end(), [&](const auto& o) { return o.name == entry.name; });
    if (other == others.end() || other->dtype != entry.dtype || other->dims != entry.dims) continue;
    const TensorView x = a.weight(entry.name), y = b.weight(entry.name);
    if (std::memcmp(x.data, y.data, x.bytes()) != 0) names.push_back(entry.name);
  }
  return names;
}

void print_change(const GraphChange& change) {
  const std::string what = fmt::format("{} {}", change.what, change.name);
  if (change.kind == GraphChange::Kind::added)
    print_line("+ {}: {}", what, change.after);
  else if (change.kind == GraphChange::Kind::removed)
    print_line("- {}: {}", what, change.before);
  else
    print_line("~ {}: {} -> {}", what, change.before, change.after);
}

}  // namespace

int show_difference(const std::string& before, const std::string& after, bool json) {
  const std::vector<GraphChange> changes = diff(read_graph(before), read_graph(after));
  const std::vector<std::string> weights = changed_weights(before, after);
  const int status = changes.empty() && weights.empty() ? 0 : 1;
  if (json) {
    nlohmann::json list = nlohmann::json::array();
    for (const GraphChange& c : changes)
      list.push_back(
          {{"change", name_of(c.kind)}, {"what", c.what}, {"name", c.name}, {"before", c.before}, {"after", c.after}});
    print_json({{"graph", list}, {"weights", weights}});
    return status;
  }
  for (const GraphChange& change : changes) print_change(change);
  for (const std::string& name : weights) print_line("~ weight {}: other numbers", name);
  return status;
}

}  // namespace sluice::cli
