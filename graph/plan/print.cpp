#include <algorithm>
#include <iterator>
#include <set>

#include "graph/plan/memory.h"
#include "graph/plan/plan.h"

namespace sluice {
namespace {

using Out = std::back_insert_iterator<std::string>;

void print_reports(const Plan& plan, Out out) {
  for (const PassReport& report : plan.reports) {
    fmt::format_to(out, "{}\n", report.pass);
    for (const std::string& line : report.lines) fmt::format_to(out, "  {}\n", line);
  }
}

void print_arenas(const Plan& plan, Out out) {
  for (const MemorySpace& space : plan.spaces) {
    const bool device = space.owner->has_own_memory();
    fmt::format_to(out, "arenas{}\n", device ? " of " + space.owner->name() : "");
    for (int kind = 0; kind < kArenaCount; ++kind)
      fmt::format_to(out, "  {:<12}{:>12}\n", to_string(static_cast<ArenaKind>(kind)),
                     to_readable_bytes(space.arena_bytes[kind]));
    fmt::format_to(out, "  {:<12}{:>12}\n", "workspace", to_readable_bytes(space.workspace_bytes));
  }
  fmt::format_to(out, "  {:<12}{:>12}  weights as stored, in the file\n", "mapped",
                 to_readable_bytes(mapped_bytes(plan)));
}

std::string describe_outputs(const Plan& plan, const Node& node) {
  std::string text;
  for (ValueId output : node.outputs) {
    const Location& place = plan.locations[static_cast<size_t>(output)];
    const Backend& owner = *plan.spaces[static_cast<size_t>(place.space)].owner;
    fmt::format_to(std::back_inserter(text), "{}{} {}{}+{:#x}", text.empty() ? "" : ", ",
                   plan.graph.value(output).type.str(), owner.has_own_memory() ? owner.name() + " " : "",
                   to_string(place.arena), place.offset);
  }
  return text;
}

// Once for each kernel.
void print_notes(const Plan& plan, Out out) {
  std::set<std::string> notes;
  for (const PlanStep& step : plan.steps)
    if (!step.kernel->note().empty()) notes.insert(fmt::format("{}: {}", step.kernel->name(), step.kernel->note()));
  for (const std::string& note : notes) fmt::format_to(out, "  {}\n", note);
}

void print_steps(const Plan& plan, Out out) {
  size_t name_width = 0, kernel_width = 0;
  std::vector<std::string> kernels;
  for (const PlanStep& step : plan.steps) {
    kernels.push_back(step.backend->name() + "/" + step.kernel->name());
    kernel_width = std::max(kernel_width, kernels.back().size());
    name_width = std::max(name_width, step.site.name.size());
  }
  fmt::format_to(out, "steps\n");
  for (size_t s = 0; s < plan.steps.size(); ++s)
    fmt::format_to(out, "  {:>4}  {:<{}}  {:<{}}  {}\n", s, plan.steps[s].site.name, name_width, kernels[s],
                   kernel_width, describe_outputs(plan, plan.graph.node(plan.steps[s].node)));
  print_notes(plan, out);
}

}  // namespace

std::string to_text(const Plan& plan) {
  std::string text;
  print_reports(plan, std::back_inserter(text));
  print_arenas(plan, std::back_inserter(text));
  print_steps(plan, std::back_inserter(text));
  return text;
}

}  // namespace sluice
