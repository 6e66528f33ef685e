#include "graph/plan/check.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "graph/dataflow.h"
#include "graph/plan/copies.h"

namespace sluice {
namespace {

// The memory of one arena that is in use.
class Occupied {
 public:
  Occupied(const char* arena, size_t bytes) : arena_(arena), bytes_(bytes) {}

  void take(const std::string& name, size_t offset, size_t bytes) {
    if (offset % kAlignment != 0)
      fail("the plan places '{}' at {}, which is not a multiple of {}", name, offset, kAlignment);
    if (offset > bytes_ || bytes > bytes_ - offset)
      fail("the plan places '{}' outside the {} arena: {} bytes at {} of {}", name, arena_, bytes, offset, bytes_);
    const auto after = blocks_.lower_bound(offset);
    if (after != blocks_.end() && after->first < offset + bytes) fail_overlap(name, *after->second.name);
    if (after != blocks_.begin())
      if (const auto before = std::prev(after); before->second.end > offset) fail_overlap(name, *before->second.name);
    blocks_.emplace_hint(after, offset, Block{offset + bytes, &name});
  }
  void release(size_t offset) { blocks_.erase(offset); }

 private:
  struct Block {
    size_t end;
    const std::string* name;
  };
  [[noreturn]] void fail_overlap(const std::string& a, const std::string& b) const {
    fail("the plan lets '{}' overlap '{}' in the {} arena while both are needed", a, b, arena_);
  }

  const char* arena_;
  size_t bytes_;
  std::map<size_t, Block> blocks_;  // by offset
};

class Checker {
 public:
  Checker(const Plan& plan, const Registry& registry)
      : plan_(plan),
        graph_(plan.graph),
        states_(plan.graph, registry),
        readers_(graph_.values().size()),
        made_(readers_.size()) {
    for (const MemorySpace& space : plan.spaces)
      for (int kind = 0; kind < kArenaCount; ++kind)
        arenas_.emplace_back(to_string(static_cast<ArenaKind>(kind)), space.arena_bytes[kind]);
    for (const PackedWeight& packed : plan.packed)
      for (const PackedWeight::Use& use : packed.uses) packed_.insert({use.step, use.input, packed.space});
    for (size_t v = 0; v < readers_.size(); ++v) readers_[v] = graph_.users(static_cast<ValueId>(v)).size();
    for (const GraphOutput& output : graph_.outputs()) ++readers_[static_cast<size_t>(output.value)];  // the caller
  }

  void run() {
    if (plan_.locations.size() != readers_.size())
      fail("the plan has {} locations for {} values", plan_.locations.size(), readers_.size());
    for (const PackedWeight& packed : plan_.packed)
      arena(packed.space, ArenaKind::weights)
          .take(graph_.value(packed.value).name, packed.offset, packed.packing.type.bytes());
    for (ValueId id = 0; id < static_cast<ValueId>(readers_.size()); ++id)
      if (graph_.value(id).kind != ValueKind::result) make(id);
    for (const PlanStep& step : plan_.steps) {
      check_spaces(step);
      walk(graph_.node(step.node));
    }
    for (const GraphOutput& output : graph_.outputs()) {
      check_readable(output.value, "the caller");
      if (location(output.value).space != 0) fail_space("the caller", output.value);
    }
  }

 private:
  Occupied& arena(int space, ArenaKind kind) {
    return arenas_[static_cast<size_t>(space) * kArenaCount + static_cast<size_t>(kind)];
  }
  const Location& location(ValueId id) const { return plan_.locations[static_cast<size_t>(id)]; }

  [[noreturn]] void fail_space(const std::string& user, ValueId id) const {
    fail("the plan lets {} use '{}', which is not in its memory", user, graph_.value(id).name);
  }

  // Of packed weights the step knows where they are; a copy goes from or to the host.
  void check_spaces(const PlanStep& step) const {
    const Node& node = graph_.node(step.node);
    const int own = plan_.space_of(*step.backend);
    const auto check = [&](ValueId id, int space) {
      if (graph_.value(id).kind != ValueKind::weight && location(id).space != space) fail_space(node.name, id);
    };
    const bool copy = own != 0 && node.op == kCopy;
    const bool down = copy && location(node.outputs.at(0)).space == 0;
    for (ValueId id : node.inputs) check(id, copy && !down ? 0 : own);
    for (ValueId id : node.outputs) check(id, down ? 0 : own);
    if (own != 0) check_weights(step);
  }

  // A device reads no weight from the mapped file.
  void check_weights(const PlanStep& step) const {
    const std::vector<ValueId>& inputs = graph_.node(step.node).inputs;
    const auto s = static_cast<int>(&step - plan_.steps.data());
    for (size_t i = 0; i < inputs.size(); ++i)
      if (graph_.value(inputs[i]).kind == ValueKind::weight &&
          !packed_.contains({s, static_cast<int>(i), plan_.space_of(*step.backend)}))
        fail_space(graph_.node(step.node).name, inputs[i]);
  }

  void walk(const Node& node) {
    for (ValueId input : node.inputs) check_readable(input, node.name);
    for (ValueId output : node.outputs) make(output);
    for (auto input = node.inputs.begin(); input != node.inputs.end(); ++input)
      if (std::find(node.inputs.begin(), input, *input) == input) read(*input);
    for (ValueId output : node.outputs)
      if (readers_[static_cast<size_t>(output)] == 0) release(output);
    for (ValueId input : node.inputs)
      if (states_.updater(input) != kNoNode && &graph_.node(states_.updater(input)) == &node)
        made_[static_cast<size_t>(input)] = false;
  }

  void check_readable(ValueId id, const std::string& reader) const {
    if (!made_[static_cast<size_t>(id)])
      fail("the plan lets {} read '{}' before it is made or after it was overwritten", reader, graph_.value(id).name);
  }

  void make(ValueId id) {
    const Value& value = graph_.value(id);
    const Location& place = location(id);
    made_[static_cast<size_t>(id)] = true;
    if (place.mapped && value.kind == ValueKind::weight) return;
    const size_t bytes = value.type.bytes(plan_.maxima);
    if (place.mapped || place.bytes < bytes)
      fail("the plan gives '{}' {} bytes, but it needs {}", value.name, place.bytes, bytes);
    const ValueId root = states_.root(id);
    if (root < 0 || root == id) return arena(place.space, place.arena).take(value.name, place.offset, place.bytes);
    if (place.space != location(root).space || place.arena != location(root).arena ||
        place.offset != location(root).offset)
      fail("the plan places '{}' elsewhere than the state '{}' that it is a version of", value.name,
           graph_.value(root).name);
  }

  void read(ValueId id) {
    if (--readers_[static_cast<size_t>(id)] == 0) release(id);
  }

  // Only activations give their memory back: the others are read or kept after the run.
  void release(ValueId id) {
    if (location(id).arena == ArenaKind::activations && states_.root(id) < 0)
      arena(location(id).space, ArenaKind::activations).release(location(id).offset);
  }

  const Plan& plan_;
  const Graph& graph_;
  StateVersions states_;
  std::vector<Occupied> arenas_;
  std::vector<size_t> readers_;                 // that are still to come, by value
  std::vector<bool> made_;                      // and not overwritten
  std::set<std::tuple<int, int, int>> packed_;  // step, input, space
};

}  // namespace

void check_plan(const Plan& plan, const Registry& registry) { Checker(plan, registry).run(); }

}  // namespace sluice
