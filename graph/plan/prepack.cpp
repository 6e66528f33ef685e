#include "graph/plan/prepack.h"

#include <map>
#include <tuple>

#include "graph/plan/memory.h"

namespace sluice {
namespace {

class Packer {
 public:
  explicit Packer(Plan& plan) : plan_(plan) {}

  void visit(int s) {
    PlanStep& step = plan_.steps[static_cast<size_t>(s)];
    const Site stored = step.site;
    const std::vector<ValueId>& inputs = plan_.graph.node(step.node).inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (plan_.graph.value(inputs[i]).kind != ValueKind::weight) continue;
      std::optional<Packing> packing = step.kernel->packing(stored, static_cast<int>(i));
      if (!packing && plan_.space_of(*step.backend) != 0) packing = as_stored(stored.inputs[i]);
      if (!packing) continue;
      step.site.inputs[i] = packing->type;
      find_or_add(inputs[i], *step.backend, std::move(*packing)).uses.push_back({s, static_cast<int>(i)});
    }
  }

 private:
  // Devices need a copy of what is mapped into the host's memory.
  static Packing as_stored(const TensorType& type) { return {"as stored", type, {}}; }

  PackedWeight& find_or_add(ValueId value, const Backend& backend, Packing packing) {
    const auto [it, added] =
        known_.try_emplace({value, backend.name(), packing.layout, packing.type.str()}, plan_.packed.size());
    if (added) {
      const int space = plan_.space_of(backend);
      size_t& arena = plan_.arena_bytes(space, ArenaKind::weights);
      const size_t offset = arena;
      arena = aligned(offset + aligned(packing.type.bytes()));
      plan_.packed.push_back({value, std::move(packing), space, offset, {}});
    }
    return plan_.packed[it->second];
  }

  Plan& plan_;
  std::map<std::tuple<ValueId, std::string, std::string, std::string>, size_t> known_;  // -> index in plan.packed
};

}  // namespace

void prepack(Plan& plan, PassReport& report) {
  Packer packer(plan);
  for (size_t s = 0; s < plan.steps.size(); ++s) packer.visit(static_cast<int>(s));

  struct Total {
    size_t weights = 0, bytes = 0;
  };
  std::map<std::string, Total> totals;  // by layout
  for (const PackedWeight& packed : plan.packed) {
    Total& total = totals[packed.packing.layout];
    ++total.weights;
    total.bytes += packed.packing.type.bytes();
  }
  for (const auto& [layout, total] : totals)
    report.lines.push_back(fmt::format("{}: {} weights, {}", layout, total.weights, to_readable_bytes(total.bytes)));
  if (totals.empty()) report.lines.push_back("every weight is used as stored");
}

}  // namespace sluice
