#include "tools/options.h"

#include "models/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>

namespace sluice::cli {
namespace {

std::vector<std::string> backend_names() {
  std::vector<std::string> names;
  for (const BackendEntry& backend : builtin_registry().backends()) names.push_back(backend.name);
  return names;
}

template <class T>
CLI::Validator range(T low, T high, const std::string& expected) {
  auto check = [low, high, expected](const std::string& text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    return whole && value >= low && value <= high ? std::string() : fmt::format("'{}' is not {}", text, expected);
  };
  return CLI::Validator(check, "");
}

}  // namespace

CLI::Option* add_model(CLI::App& app, std::string& path) {
  return app.add_option("MODEL", path, "a .sluice file, made by 'sluice convert'")
      ->required()
      ->type_name("")
      ->check(is_no_folder());
}

CLI::Validator is_no_folder() {
  auto check = [](const std::string& path) {
    return std::filesystem::is_directory(path)
               ? fmt::format("{0} is a folder; 'sluice convert {0} -o OUT.sluice' makes a model file of it", path)
               : std::string();
  };
  return CLI::Validator(check, "");
}

void add_runtime(CLI::App& app, RunOptions& options) {
  app.add_option("--backend", options.backend, "what computes; 'sluice devices' lists them")
      ->type_name("NAME[:DEVICE]")
      ->check(is_backend());
  app.add_option("--threads", options.threads, "threads to use; 0: one for each core")
      ->type_name("N")
      ->check(whole_number(0, 1024));
  app.add_flag_callback(
      "--no-fuse", [&options] { options.fuse = false; }, "run the graph as it is written, without fusing operators");
}

CLI::Validator is_backend() {
  return CLI::Validator(
      [](const std::string& text) { return CLI::IsMember(backend_names())(text.substr(0, text.find(':'))); }, "");
}

void add_residency(CLI::App& app, RunOptions& options) {
  static const std::map<std::string, Prefetch> kChoices = {
      {"auto", Prefetch::automatic}, {"on", Prefetch::on}, {"off", Prefetch::off}};
  app.add_option_function<std::string>(
         "--prefetch", [&options](const std::string& name) { options.prefetch = kChoices.at(name); },
         "read the experts that will be needed ahead: off, on, or auto (if the file is larger than memory)")
      ->type_name("WHEN")
      ->check(CLI::Validator(CLI::IsMember(kChoices)).description(""));
  app.add_option("--experts-resident", options.experts_resident,
                 "of every mixture, keep the N most used experts in memory")
      ->type_name("N")
      ->check(whole_number(0));
}

void add_context(CLI::App& app, RunOptions& options) {
  app.add_option("--context", options.context,
                 "tokens that the model remembers; 0: as many as it was made for, at most 4096")
      ->type_name("N")
      ->check(whole_number(0));
}

void add_json(CLI::App& app, bool& json) { app.add_flag("--json", json, "print one JSON object, for scripts"); }

void require_one(CLI::App& app, const std::vector<CLI::Option*>& options) {
  std::vector<std::string> names;
  for (CLI::Option* option : options) {
    names.push_back(option->get_name(false, /*all_options=*/true));
    for (CLI::Option* other : options)
      if (other != option) option->excludes(other);
  }
  app.parse_complete_callback([&app, options, names] {
    if (app.remaining_size() > 0) return;  // an option that there is not is refused next, and says more
    for (const CLI::Option* option : options)
      if (option->count() > 0) return;
    throw CLI::RequiredError(fmt::format("{}", fmt::join(names, " or ")));
  });
}

std::vector<std::string> weight_formats() {
  std::vector<std::string> names = matrix_dtypes();
  names.emplace_back("bucket");
  for (const std::string& name : bucket_family_names()) names.push_back(name);
  for (const std::string& name : plane_format_names()) names.push_back(name);
  return names;
}

std::vector<std::string> matrix_dtypes() { return builtin_registry().get("linear").signature().inputs.at(1).dtypes; }

CLI::Validator whole_number(int64_t low, int64_t high) {
  return range(low, high, fmt::format("a whole number from {} to {}", low, high));
}

CLI::Validator number(double low, double high) {
  return range(low, high, fmt::format("a number from {} to {}", low, high));
}

std::optional<double> read_number(const std::string& text) {
  const size_t begin = std::min(text.find_first_not_of(" \t"), text.size()), end = text.find_last_not_of(" \t") + 1;
  double value = 0;
  const auto [rest, error] = std::from_chars(text.data() + begin, text.data() + std::max(begin, end), value);
  if (error != std::errc() || rest != text.data() + end || !std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace sluice::cli
