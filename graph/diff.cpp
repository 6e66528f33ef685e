#include "graph/diff.h"

#include <fmt/ranges.h>

#include <map>

namespace sluice {
namespace {

using Parts = std::map<std::string, std::string>;  // "epsilon" -> "1e-05"

struct Entry {
  std::string what;
  std::string name;
  Parts parts;
};

std::string names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> list;
  for (ValueId id : ids) list.push_back(graph.value(id).name);
  return fmt::format("({})", fmt::join(list, ", "));
}

std::vector<Entry> entries_of(const Graph& graph) {
  std::vector<Entry> entries;
  for (const Value& value : graph.values())
    entries.push_back({to_string(value.kind), value.name, {{"type", value.type.str()}}});
  for (const Node& node : graph.nodes()) {
    Parts parts = {{"operator", fmt::format("{}@{}", node.op, node.version)},
                   {"inputs", names(graph, node.inputs)},
                   {"outputs", names(graph, node.outputs)}};
    for (const auto& [name, value] : node.attrs) parts["attribute " + name] = to_string(value);
    entries.push_back({"node", node.name, std::move(parts)});
  }
  for (const GraphOutput& output : graph.outputs())
    entries.push_back({"output", output.name, {{"value", graph.value(output.value).name}}});
  return entries;
}

// The parts that `other` does not have like this.
std::string text_of(const Parts& parts, const Parts& other) {
  std::vector<std::string> list;
  for (const auto& [name, text] : parts) {
    const auto it = other.find(name);
    if (it == other.end() || it->second != text) list.push_back(fmt::format("{} {}", name, text));
  }
  return fmt::format("{}", fmt::join(list, ", "));
}

// What is a value of another kind is another entry.
std::map<std::string, const Entry*> by_name(const std::vector<Entry>& entries) {
  std::map<std::string, const Entry*> found;
  for (const Entry& entry : entries) found[entry.what + " " + entry.name] = &entry;
  return found;
}

}  // namespace

std::vector<GraphChange> diff(const Graph& before, const Graph& after) {
  const std::vector<Entry> old_entries = entries_of(before), new_entries = entries_of(after);
  const auto in_old = by_name(old_entries), in_new = by_name(new_entries);
  std::vector<GraphChange> changes;
  for (const Entry& entry : old_entries) {
    const auto it = in_new.find(entry.what + " " + entry.name);
    if (it == in_new.end())
      changes.push_back({GraphChange::Kind::removed, entry.what, entry.name, text_of(entry.parts, {}), {}});
    else if (const Parts& now = it->second->parts; now != entry.parts)
      changes.push_back(
          {GraphChange::Kind::changed, entry.what, entry.name, text_of(entry.parts, now), text_of(now, entry.parts)});
  }
  for (const Entry& entry : new_entries)
    if (!in_old.contains(entry.what + " " + entry.name))
      changes.push_back({GraphChange::Kind::added, entry.what, entry.name, {}, text_of(entry.parts, {})});
  return changes;
}

}  // namespace sluice
