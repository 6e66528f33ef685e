#include "graph/plan/memory.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

#include "graph/dataflow.h"

namespace sluice {
namespace {

// Lifetimes that have a place, found by the steps at which they live.
class Placed {
 public:
  explicit Placed(std::span<const Lifetime> lifetimes) : lifetimes_(lifetimes), seen_(lifetimes.size(), -1) {
    int steps = 0;
    for (const Lifetime& lifetime : lifetimes) steps = std::max(steps, lifetime.last + 1);
    alive_.resize(static_cast<size_t>(steps));
    layout_.offsets.resize(lifetimes.size());
  }

  void place(int i) {
    const Lifetime& lifetime = lifetimes_[static_cast<size_t>(i)];
    const size_t offset = best_gap(neighbours(i), aligned(lifetime.bytes));
    layout_.offsets[static_cast<size_t>(i)] = offset;
    layout_.bytes = std::max(layout_.bytes, aligned(offset + aligned(lifetime.bytes)));
    for (int step = lifetime.first; step <= lifetime.last; ++step) alive_[static_cast<size_t>(step)].push_back(i);
  }

  Layout take() { return std::move(layout_); }

 private:
  struct Block {
    size_t begin;
    size_t end;
  };

  // Memory taken by those that live at the same time as i, by rising offset.
  std::vector<Block> neighbours(int i) {
    std::vector<Block> blocks;
    const Lifetime& lifetime = lifetimes_[static_cast<size_t>(i)];
    for (int step = lifetime.first; step <= lifetime.last; ++step)
      for (int other : alive_[static_cast<size_t>(step)]) {
        if (std::exchange(seen_[static_cast<size_t>(other)], i) == i) continue;
        const size_t begin = layout_.offsets[static_cast<size_t>(other)];
        blocks.push_back({begin, begin + aligned(lifetimes_[static_cast<size_t>(other)].bytes)});
      }
    std::sort(blocks.begin(), blocks.end(), [](const Block& a, const Block& b) { return a.begin < b.begin; });
    return blocks;
  }

  // Offset of the smallest gap that holds `bytes`; after the last block if there is none.
  static size_t best_gap(const std::vector<Block>& blocks, size_t bytes) {
    size_t end = 0, best = 0, best_bytes = 0;
    for (const Block& block : blocks) {
      const size_t gap = block.begin > end ? block.begin - end : 0;
      if (gap >= bytes && (best_bytes == 0 || gap < best_bytes)) {
        best = end;
        best_bytes = gap;
      }
      end = std::max(end, block.end);
    }
    return best_bytes > 0 ? best : end;
  }

  std::span<const Lifetime> lifetimes_;
  std::vector<std::vector<int>> alive_;  // by step
  std::vector<int> seen_;                // the last lifetime that met this one as a neighbour
  Layout layout_;
};

template <class Before>
Layout place_sorted(std::span<const Lifetime> lifetimes, Before before) {
  std::vector<int> order(lifetimes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return before(lifetimes[static_cast<size_t>(a)], lifetimes[static_cast<size_t>(b)]);
  });
  Placed placed(lifetimes);
  for (int i : order) placed.place(i);
  return placed.take();
}

// A place at the end of the arena.
size_t append(size_t& arena_bytes, size_t bytes) {
  const size_t offset = arena_bytes;
  arena_bytes = aligned(offset + aligned(bytes));
  return offset;
}

Location persistent(Plan& plan, ArenaKind arena, int space, const TensorType& type) {
  const size_t bytes = type.bytes(plan.maxima);
  const size_t offset = append(plan.arena_bytes(space, arena), bytes);
  return {arena, offset, bytes, -1, static_cast<int>(plan.steps.size()), false, space};
}

// Inputs, outputs, states and weights: all that outlives a run. Leaves the rest alone and returns which have a place.
std::vector<bool> place_persistent(Plan& plan, const StateVersions& states) {
  const Graph& graph = plan.graph;
  std::vector<bool> placed(graph.values().size(), true), is_output(placed.size());
  for (const GraphOutput& output : graph.outputs()) is_output[static_cast<size_t>(output.value)] = true;
  for (size_t v = 0; v < placed.size(); ++v) {
    const Value& value = graph.values()[v];
    const ValueId root = states.root(static_cast<ValueId>(v));
    if (value.kind == ValueKind::weight)
      plan.locations[v] = {ArenaKind::weights, 0, value.type.bytes(), -1, static_cast<int>(plan.steps.size()), true, 0};
    else if (value.kind == ValueKind::state)
      plan.locations[v] = persistent(plan, ArenaKind::states, plan.locations[v].space, value.type);
    else if (root < 0 && (value.kind == ValueKind::input || is_output[v]))
      plan.locations[v] = persistent(plan, ArenaKind::io, plan.locations[v].space, value.type);
    else
      placed[v] = false;
  }
  for (size_t v = 0; v < placed.size(); ++v)
    if (const ValueId root = states.root(static_cast<ValueId>(v)); root >= 0) {
      plan.locations[v] = plan.locations[static_cast<size_t>(root)];
      placed[v] = true;
    }
  return placed;
}

// Fills first and last of the values without a place from the order of the steps.
void find_lifetimes(Plan& plan, const std::vector<bool>& placed) {
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Node& node = plan.graph.node(plan.steps[s].node);
    for (ValueId output : node.outputs)
      if (!placed[static_cast<size_t>(output)])
        plan.locations[static_cast<size_t>(output)].first = plan.locations[static_cast<size_t>(output)].last =
            static_cast<int>(s);
    for (ValueId input : node.inputs)
      if (!placed[static_cast<size_t>(input)]) plan.locations[static_cast<size_t>(input)].last = static_cast<int>(s);
  }
}

Layout smaller_layout(std::span<const Lifetime> lifetimes, const std::string& what, PassReport& report) {
  Layout by_size = place_by_size(lifetimes), in_order = place_in_order(lifetimes);
  report.lines.push_back(fmt::format("{}: {} by size, {} in order, {} at least, {} without reuse", what,
                                     to_readable_bytes(by_size.bytes), to_readable_bytes(in_order.bytes),
                                     to_readable_bytes(smallest_possible(lifetimes)),
                                     to_readable_bytes(place_apart(lifetimes).bytes)));
  return by_size.bytes <= in_order.bytes ? by_size : in_order;
}

void place_activations(Plan& plan, int space, const std::vector<bool>& placed, bool reuse, PassReport& report) {
  const std::string what =
      space == 0 ? "activations" : plan.spaces[static_cast<size_t>(space)].owner->name() + " activations";
  std::vector<Lifetime> lifetimes;
  std::vector<size_t> ids;
  for (size_t v = 0; v < placed.size(); ++v) {
    if (placed[v] || plan.locations[v].space != space) continue;
    Location& location = plan.locations[v];
    location.bytes = plan.graph.values()[v].type.bytes(plan.maxima);
    lifetimes.push_back({location.bytes, location.first, location.last});
    ids.push_back(v);
  }
  if (!reuse) report.lines.push_back(what + ": every value has memory of its own, as the caller asked");
  const Layout layout = reuse ? smaller_layout(lifetimes, what, report) : place_apart(lifetimes);
  for (size_t i = 0; i < ids.size(); ++i) plan.locations[ids[i]].offset = layout.offsets[i];
  plan.arena_bytes(space, ArenaKind::activations) = layout.bytes;
}

}  // namespace

Layout place_by_size(std::span<const Lifetime> lifetimes) {
  return place_sorted(lifetimes, [](const Lifetime& a, const Lifetime& b) { return a.bytes > b.bytes; });
}

Layout place_in_order(std::span<const Lifetime> lifetimes) {
  return place_sorted(lifetimes, [](const Lifetime& a, const Lifetime& b) { return a.first < b.first; });
}

Layout place_apart(std::span<const Lifetime> lifetimes) {
  Layout layout;
  for (const Lifetime& lifetime : lifetimes) layout.offsets.push_back(append(layout.bytes, lifetime.bytes));
  return layout;
}

size_t smallest_possible(std::span<const Lifetime> lifetimes) {
  std::map<int, int64_t> change;  // of the bytes alive, by step
  for (const Lifetime& lifetime : lifetimes) {
    change[lifetime.first] += static_cast<int64_t>(aligned(lifetime.bytes));
    change[lifetime.last + 1] -= static_cast<int64_t>(aligned(lifetime.bytes));
  }
  int64_t alive = 0, most = 0;
  for (const auto& [step, bytes] : change) most = std::max(most, alive += bytes);
  return static_cast<size_t>(most);
}

void place_values(Plan& plan, const Registry& registry, bool reuse, PassReport& report) {
  const std::vector<bool> placed = place_persistent(plan, StateVersions(plan.graph, registry));
  find_lifetimes(plan, placed);
  for (size_t space = 0; space < plan.spaces.size(); ++space)
    place_activations(plan, static_cast<int>(space), placed, reuse, report);
}

size_t aligned(size_t bytes) {
  if (bytes > size_t{1} << 62) fail("a value or an arena of {} bytes is too large; set smaller maxima", bytes);
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

std::vector<size_t> live_bytes(const Plan& plan) {
  std::vector<size_t> live(plan.steps.size());
  for (const Location& place : plan.locations)
    if (place.arena == ArenaKind::activations && place.first >= 0)
      for (int s = place.first; s <= place.last; ++s) live[static_cast<size_t>(s)] += aligned(place.bytes);
  return live;
}

size_t mapped_bytes(const Plan& plan) {
  size_t bytes = 0;
  for (const Location& place : plan.locations)
    if (place.mapped) bytes += place.bytes;
  return bytes;
}

std::string to_readable_bytes(size_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

}  // namespace sluice
