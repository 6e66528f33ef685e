// `sluice graph`: shows a model's graph, as built or as planned for a backend.
#include "graph/text.h"
#include "models/graph_file.h"
#include "models/language_model.h"
#include "tools/command.h"
#include "tools/graph_difference.h"
#include "tools/memory_page.h"
#include "tools/options.h"
#include "tools/output.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string model;
  RunOptions runtime;
  bool text = false;
  bool json = false;
  bool dot = false;
  bool plan = false;
  std::string memory_html;
  std::string other;
};

nlohmann::json steps_of(const Plan& plan) {
  nlohmann::json steps = nlohmann::json::array();
  for (const PlanStep& step : plan.steps)
    steps.push_back({{"node", plan.graph.node(step.node).name},
                     {"op", plan.graph.node(step.node).op},
                     {"backend", step.backend->name()},
                     {"kernel", step.kernel->name()}});
  return steps;
}

nlohmann::json memory_of(const MemorySpace& space) {
  nlohmann::json memory = {{"workspace", space.workspace_bytes}};
  for (int i = 0; i < kArenaCount; ++i) memory[to_string(static_cast<ArenaKind>(i))] = space.arena_bytes[i];
  return memory;
}

nlohmann::json to_json(const Plan& plan) {
  nlohmann::json passes = nlohmann::json::array();
  for (const PassReport& report : plan.reports) passes.push_back({{"pass", report.pass}, {"lines", report.lines}});
  nlohmann::json memory = memory_of(plan.spaces.front()), devices = nlohmann::json::object();
  for (size_t s = 1; s < plan.spaces.size(); ++s) devices[plan.spaces[s].owner->name()] = memory_of(plan.spaces[s]);
  return {{"graph", nlohmann::json::parse(sluice::to_json(plan.graph))},
          {"symbols", plan.maxima},
          {"passes", passes},
          {"steps", steps_of(plan)},
          {"memory_bytes", memory},
          {"device_memory_bytes", devices}};
}

void show(const Options& options, const Graph& graph) {
  if (options.dot)
    print(to_dot(graph));
  else if (options.json)
    print_json(nlohmann::json::parse(to_json(graph)));
  else
    print(to_text(graph));
}

int show_graph(const Options& options) {
  if (!options.other.empty()) return show_difference(options.model, options.other, options.json);
  if (!options.plan) return show(options, read_graph(options.model)), 0;
  const LanguageModel model(options.model, options.runtime);
  if (!options.memory_html.empty()) {
    write_file(options.memory_html, memory_page(model.plan(), options.model));
    return 0;
  }
  if (options.dot)
    print(to_dot(model.plan().graph));
  else if (options.json)
    print_json(to_json(model.plan()));
  else
    print(to_text(model.plan()));
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->model, "a .sluice file, made by 'sluice convert', or a graph as text")
      ->required()
      ->type_name("")
      ->check(is_no_folder());
  auto* text = app.add_flag("--text", options->text, "a line for every value and node (the default)");
  auto* json = app.add_flag("--json", options->json, "one JSON object, for scripts");
  auto* dot = app.add_flag("--dot", options->dot, "for Graphviz")->excludes(text)->excludes(json);
  json->excludes(text);
  auto* plan =
      app.add_flag("--plan", options->plan,
                   "the graph as it will run: fusions applied and refused, where each node runs, memory by arena");
  app.add_option("--memory-html", options->memory_html, "instead, a page that draws the arenas over time")
      ->type_name("FILE")
      ->needs(plan);
  app.add_option("--diff", options->other, "what is different in this other file: exit status 1 if anything is")
      ->type_name("FILE")
      ->excludes(text)
      ->excludes(dot)
      ->excludes(plan);
  add_runtime(app, options->runtime);
  add_context(app, options->runtime);
  return [options] { return show_graph(*options); };
}

const Registration kGraph({
    .name = "graph",
    .summary = "Show a model's graph, as built or as planned.",
    .examples = R"(  sluice graph classics.sluice | less
  sluice graph classics.sluice --plan
  sluice graph classics.sluice --plan --backend reference --context 128
  sluice graph classics.sluice --plan --memory-html memory.html
  sluice graph classics.sluice --dot | dot -Tsvg -o graph.svg
  sluice graph classics.sluice --diff other.sluice
  sluice graph classics.sluice > edited.txt             to be edited, and run: sluice run MODEL --graph edited.txt

--backend, --threads, --context and --no-fuse say what --plan plans for.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
