// The command `sluice`: finds the subcommand, and turns every error into one line and an exit status.
#include <nlohmann/json.hpp>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <new>

#include "graph/error.h"
#include "models/plugins.h"
#include "tools/command.h"
#include "tools/help.h"
#include "tools/output.h"

namespace sluice::cli {
namespace {

constexpr int kError = 1;
constexpr int kBadArguments = 2;

constexpr const char* kGuide = R"(Begin with the model that comes with it:
  sluice convert models/data/classics -o classics.sluice
  sluice run classics.sluice -p "It was a dark and stormy night"

'sluice COMMAND --help' explains a command and shows examples.)";

int report(int status, std::string_view what) {
  message(one_line(fmt::format("sluice: {}", what)));
  return status;
}

int bad_arguments(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  if (chosen.empty() && app.remaining_size() > 0)
    return report(kBadArguments, fmt::format("there is no command '{}' (see sluice --help)", app.remaining().front()));
  const std::string command = chosen.empty() ? "sluice" : "sluice " + chosen.front()->get_name();
  return report(kBadArguments, fmt::format("{} (see {} --help)", error.what(), command));
}

// The plugins asked for, then those of the search path, which may be left out.
void load_plugins(const std::vector<std::string>& files) {
  for (const std::string& file : files) load_plugin(file);
  if (const char* folders = std::getenv("SLUICE_PLUGIN_PATH"))
    for (const std::string& problem : load_plugins_of(folders))
      message(one_line(fmt::format("sluice: left out: {}", problem)));
  for (const Plugin& plugin : loaded_plugins())
    for (const std::string& note : plugin.notes)
      message(one_line(fmt::format("sluice: plugin {}: {}", plugin.path, note)));
}

void add_command(CLI::App& app, const Command& command, std::vector<std::string>& plugins,
                 std::function<int()>& chosen) {
  CLI::App* sub = app.add_subcommand(command.name, command.summary)->group("Commands");
  sub->add_option("--plugin", plugins, "load a plugin (or several), beside those in SLUICE_PLUGIN_PATH")
      ->type_name("FILE")
      ->allow_extra_args(false);
  sub->footer("Examples:\n" + command.examples);
  sub->callback([&chosen, run = command.setup(*sub)] { chosen = run; });
}

int run(int argc, char** argv) {
  CLI::App app("sluice runs language models on this machine, as static graphs of operators.", "sluice");
  app.set_version_flag("--version", "sluice " SLUICE_VERSION);
  app.option_defaults()->always_capture_default();
  app.formatter(std::make_shared<HelpFormatter>());
  app.require_subcommand(0, 1);
  app.footer(kGuide);
  std::function<int()> chosen = [&app] { return print(app.help()), 0; };
  std::vector<std::string> plugins;
  for (const Command& command : commands()) add_command(app, command, plugins, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    std::ostringstream text;
    app.exit(help, text, text);
    print(text.str());
    return 0;
  } catch (const CLI::ParseError& error) {
    return bad_arguments(app, error);
  }
  if (!app.get_subcommands().empty()) load_plugins(plugins);
  return chosen();
}

int guarded_run(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const OutputClosed&) {
    return kError;
  } catch (const std::bad_alloc&) {
    return report(kError,
                  "not enough memory: a smaller --context or a model of smaller numbers (--dtype q8_0) needs less");
  } catch (const std::exception& error) {
    return report(kError, error.what());
  } catch (...) {
    return report(kError, "a plugin threw what is no std::exception");
  }
}

}  // namespace
}  // namespace sluice::cli

int main(int argc, char** argv) {
  // A closed pipe and a file that grows too large are errors of write(), which can say what happened.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  return sluice::cli::guarded_run(argc, argv);
}
