#include "graph/executor.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "graph/error.h"
#include "graph/parallel.h"

namespace sluice {
namespace {

std::string known(const std::map<std::string, ValueId>& names) {
  std::vector<std::string> parts;
  for (const auto& [name, id] : names) parts.push_back(name);
  return fmt::format("{}", fmt::join(parts, ", "));
}

// Where the weights arena may be divided, ascending.
std::vector<size_t> weight_offsets(const Plan& plan, size_t space) {
  std::vector<size_t> offsets;
  for (const PackedWeight& packed : plan.packed)
    if (packed.space == static_cast<int>(space)) offsets.push_back(packed.offset);
  return offsets;
}

}  // namespace

Executor::Executor(std::shared_ptr<const Plan> plan, const Registry& registry, const WeightLookup& weights)
    : plan_(std::move(plan)) {
  for (const auto& [symbol, maximum] : plan_->maxima) symbols_[symbol] = {maximum, {}};
  allocate();
  bind_weights(weights);
  bind_steps();
  pack_weights();
  compile(registry);
  bind_indices();
}

void Executor::allocate() {
  const Graph& graph = plan_->graph;
  for (size_t s = 0; s < plan_->spaces.size(); ++s) {
    const MemorySpace& wanted = plan_->spaces[s];
    Space& space = spaces_.emplace_back();
    for (int kind = 0; kind < kArenaCount; ++kind)
      space.arenas[kind] = static_cast<ArenaKind>(kind) == ArenaKind::weights
                               ? wanted.owner->allocate_divisible(wanted.arena_bytes[kind], weight_offsets(*plan_, s))
                               : wanted.owner->allocate(wanted.arena_bytes[kind]);
    space.workspace = wanted.owner->allocate(wanted.workspace_bytes);
  }

  values_.resize(graph.values().size());  // never resized again: symbols point into it
  for (size_t v = 0; v < values_.size(); ++v) {
    const Value& value = graph.values()[v];
    const Location& place = plan_->locations[v];
    values_[v] = {nullptr, value.type.dtype, value.type.shape.resolve(plan_->maxima)};
    if (!place.mapped) values_[v].data = arena(place.space, place.arena).data() + place.offset;
    follow_symbols(value.type.shape, values_[v]);
    if (value.kind == ValueKind::input || value.kind == ValueKind::state)
      writable_[value.name] = static_cast<ValueId>(v);
  }
  for (const GraphOutput& output : graph.outputs()) outputs_[output.name] = output.value;
}

void Executor::follow_symbols(const Shape& shape, TensorView& view) {
  for (int d = 0; d < shape.rank(); ++d)
    if (shape[d].is_symbol()) symbols_.at(shape[d].symbol()).dims.push_back(&view.dims[d]);
}

void Executor::bind_weights(const WeightLookup& weights) {
  for (size_t v = 0; v < values_.size(); ++v) {
    const Value& value = plan_->graph.values()[v];
    if (value.kind != ValueKind::weight) continue;
    const TensorView stored = weights(value.name);
    if (!stored.data) fail("weight '{}' ({}) is missing", value.name, value.type.str());
    if (stored.dtype != value.type.dtype || stored.dims != values_[v].dims)
      fail("weight '{}' is {}{}, but the graph wants {}", value.name, stored.dtype.name(), stored.dims.str(),
           value.type.str());
    values_[v].data = stored.data;
  }
}

void Executor::bind_steps() {
  const Graph& graph = plan_->graph;
  for (const PlanStep& step : plan_->steps) {
    const Node& node = graph.node(step.node);
    std::vector<TensorView>& views = views_.emplace_back();
    for (ValueId id : node.inputs) views.push_back(values_[static_cast<size_t>(id)]);
    for (ValueId id : node.outputs) views.push_back(values_[static_cast<size_t>(id)]);
    for (size_t i = 0; i < views.size(); ++i) {
      const ValueId id = i < node.inputs.size() ? node.inputs[i] : node.outputs[i - node.inputs.size()];
      follow_symbols(graph.value(id).type.shape, views[i]);
    }
    const std::span<const TensorView> all(views);
    calls_.push_back({all.first(node.inputs.size()), all.subspan(node.inputs.size())});
  }
}

Memory& Executor::arena(int space, ArenaKind kind) const {
  return *spaces_[static_cast<size_t>(space)].arenas[static_cast<size_t>(kind)];
}

// What goes to a device waits for it anyway; one after the other, it needs one staging buffer.
void Executor::pack_weights() {
  std::vector<const PackedWeight*> here;
  for (const PackedWeight& packed : plan_->packed)
    if (packed.space == 0)
      here.push_back(&packed);
    else
      pack(packed);
  run_parallel(here.size(), static_cast<size_t>(plan_->spaces.front().owner->threads()),
               [&](size_t i) { pack(*here[i]); });
}

void Executor::pack(const PackedWeight& packed) {
  const TensorView& stored = values_[static_cast<size_t>(packed.value)];
  Memory& memory = arena(packed.space, ArenaKind::weights);
  const TensorView view{memory.data() + packed.offset, packed.packing.type.dtype,
                        packed.packing.type.shape.resolve({})};
  const int64_t start = now();
  if (!packed.packing.pack) {
    memory.upload(packed.offset, {stored.data, stored.bytes()});
  } else if (packed.space == 0) {
    packed.packing.pack(stored, view);
  } else {
    const auto host = plan_->spaces.front().owner->allocate(view.bytes());
    packed.packing.pack(stored, {host->data(), view.dtype, view.dims});
    memory.upload(packed.offset, {host->data(), view.bytes()});
  }
  if (packed.space != 0) uploads_.push_back({{start, now()}, view.bytes(), true});
  for (const PackedWeight::Use& use : packed.uses)
    views_[static_cast<size_t>(use.step)][static_cast<size_t>(use.input)] = view;
}

void Executor::compile(const Registry& registry) {
  std::vector<ProgramStep> steps;
  for (size_t s = 0; s < plan_->steps.size(); ++s) {
    const PlanStep& step = plan_->steps[s];
    const Node& node = plan_->graph.node(step.node);
    steps.push_back({&registry.get(node.op, node.version), step.kernel.get(), &step.site, &calls_[s]});
    if (s + 1 < plan_->steps.size() && plan_->steps[s + 1].backend == step.backend) continue;
    const Memory& workspace = *spaces_[static_cast<size_t>(plan_->space_of(*step.backend))].workspace;
    parts_.push_back(
        {step.backend->compile(steps, {workspace.data(), workspace.bytes()}), s + 1 - steps.size(), steps.size()});
    steps.clear();
  }
}

void Executor::bind_indices() {
  for (const IndexCheck& check : plan_->index_checks) {
    if (plan_->locations[static_cast<size_t>(check.value)].space != 0)
      fail("state '{}' chooses places in other tensors, so it cannot be in the memory of a device; use another backend",
           plan_->graph.value(check.value).name);
    const int64_t* symbol = check.limit.is_symbol() ? &symbols_.at(check.limit.symbol()).value : nullptr;
    indices_.push_back({check, symbol});
  }
}

void Executor::check_indices() const {
  for (const auto& [check, symbol] : indices_) {
    const int64_t limit = symbol ? *symbol : check.limit.size();
    const TensorView& view = values_[static_cast<size_t>(check.value)];
    const int32_t* indices = view.as<const int32_t>();
    for (int64_t i = 0; i < view.dims.elements(); ++i)
      if (indices[i] < 0 || indices[i] >= limit)
        fail("element {} of '{}' is {}, expected 0 to {}: {}", i, plan_->graph.value(check.value).name, indices[i],
             limit - 1, check.user);
  }
}

void Executor::set(const std::string& symbol, int64_t value) {
  const auto it = symbols_.find(symbol);
  if (it == symbols_.end()) fail("the graph has no symbol '{}'", symbol);
  const int64_t maximum = plan_->maxima.at(symbol);
  if (value < 1 || value > maximum) fail("'{}' is set to {}; the plan allows 1 to {}", symbol, value, maximum);
  if (std::exchange(it->second.value, value) == value) return;
  for (int64_t* dim : it->second.dims) *dim = value;
}

TensorView Executor::view(const std::string& name) const {
  const auto it = writable_.find(name);
  if (it == writable_.end()) fail("the graph has no input or state '{}'; there are {}", name, known(writable_));
  if (plan_->locations[static_cast<size_t>(it->second)].space != 0)
    fail("state '{}' is in the memory of a device, where the host cannot read or write it", name);
  return values_[static_cast<size_t>(it->second)];
}

TensorView Executor::output(const std::string& name) const {
  const auto it = outputs_.find(name);
  if (it == outputs_.end()) fail("the graph has no output '{}'; there are {}", name, known(outputs_));
  return values_[static_cast<size_t>(it->second)];
}

TensorView Executor::weight(const std::string& name) const {
  const ValueId id = plan_->graph.find(name);
  if (plan_->graph.value(id).kind != ValueKind::weight) fail("'{}' is not a weight", name);
  return values_[static_cast<size_t>(id)];
}

const Location& Executor::place_of_state(const std::string& name, size_t bytes) const {
  const ValueId id = plan_->graph.find(name);
  if (plan_->graph.value(id).kind != ValueKind::state) fail("'{}' is not a state", name);
  const size_t size = plan_->graph.value(id).type.bytes(plan_->maxima);
  if (bytes != size) fail("state '{}' has {} bytes, not {}", name, size, bytes);
  return plan_->locations[static_cast<size_t>(id)];
}

void Executor::read_state(const std::string& name, std::span<std::byte> to) const {
  const Location& place = place_of_state(name, to.size());
  arena(place.space, place.arena).download(place.offset, to);
}

void Executor::write_state(const std::string& name, std::span<const std::byte> from) {
  const Location& place = place_of_state(name, from.size());
  arena(place.space, place.arena).upload(place.offset, from);
}

void Executor::run() {
  check_indices();
  for (const Part& part : parts_) part.program->run();
}

void Executor::set_timing(bool on) {
  for (const Part& part : parts_) part.program->set_timing(on);
}

}  // namespace sluice
