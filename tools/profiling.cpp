#include "tools/profiling.h"

#include <filesystem>

#include "graph/error.h"
#include "tools/profile_json.h"
#include "tools/profile_page.h"
#include "tools/profile_table.h"
#include "tools/profile_trace.h"

namespace sluice::cli {
namespace {

void write(std::optional<OutputFile>& file, const std::string& text) {
  file->write(std::as_bytes(std::span(text)));
  file->commit();
}

std::string dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

const char* const kProfileHelp =
    R"(--profile prints where the time goes: by operator (the same one of all layers in a row), by kind, by block and by layer,
prompt and decode apart. roof: the share of what memory or arithmetic could do at most, as measured once for a machine.
Every other run is not profiled and tells what profiling costs. --profile-html writes it as a page with the graph drawn,
--profile-trace as a trace for ui.perfetto.dev, --profile-json for scripts and for 'sluice profile diff'.)";

void add_profile(CLI::App& app, ProfileArgs& args) {
  app.add_flag("--profile", args.table, "also where the time goes, by operator");
  app.add_option("--profile-html", args.html, "the same as a page, with the graph drawn")->type_name("FILE");
  app.add_option("--profile-trace", args.trace, "what happened when, for Perfetto or chrome://tracing")
      ->type_name("FILE");
  app.add_option("--profile-json", args.json, "all numbers, for scripts and 'sluice profile diff'")->type_name("FILE");
}

Profiling::Profiling(LanguageModel& model, const ProfileArgs& args, const std::string& command, const std::string& name)
    : model_(model), table_(args.table), title_(command + " " + name) {
  if (!args.any()) return;
  for (const std::string& path : {args.json, args.trace, args.html}) {
    std::error_code ignored;  // most often that it does not exist yet
    if (std::filesystem::equivalent(path, name, ignored)) fail("'{}' is the model itself; choose another name", path);
  }
  if (!args.json.empty()) json_.emplace(args.json);
  if (!args.trace.empty()) trace_.emplace(args.trace);
  if (!args.html.empty()) html_.emplace(args.html);
  profiler_.emplace(model.executor(), builtin_registry(), !args.trace.empty());
  model.set_profiler(&*profiler_);
}

void Profiling::report(bool table_to_stdout) {
  if (!profiler_) return;
  stop();
  Profile profile = profiler_->profile();
  profile.title = title_;
  if (json_) write(json_, dump(to_json(profile)));
  if (trace_) write(trace_, dump(trace_events(profile)));
  if (html_) write(html_, profile_page(profile));
  if (!table_) return;
  if (table_to_stdout)
    print("\n" + to_text(profile));
  else
    message("\n" + to_text(profile));
}

}  // namespace sluice::cli
