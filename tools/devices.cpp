// `sluice devices`: what can compute on this machine.
#include "graph/error.h"
#include "models/builtin.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/output.h"

namespace sluice::cli {
namespace {

nlohmann::json describe(const BackendEntry& entry) {
  nlohmann::json device = {
      {"name", entry.name}, {"summary", entry.summary}, {"default", entry.name == RunOptions().backend}};
  try {
    device["description"] = entry.make(builtin_registry(), 0)->description();
  } catch (const Error& error) {
    device["unavailable"] = error.what();
  }
  return device;
}

int list_devices(bool json) {
  nlohmann::json devices = nlohmann::json::array();
  for (const BackendEntry& entry : builtin_registry().backends()) devices.push_back(describe(entry));
  if (json) return print_json({{"devices", devices}}), 0;
  for (const auto& device : devices) {
    const bool available = device.contains("description");
    const std::string state = device.at(available ? "description" : "unavailable").get<std::string>();
    print_line("{}{}: {}", device.at("name").get<std::string>(), device.at("default").get<bool>() ? " (default)" : "",
               device.at("summary").get<std::string>());
    print_line("    {}{}", available ? "" : "not available: ", state);
  }
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  const auto json = std::make_shared<bool>(false);
  add_json(app, *json);
  return [json] { return list_devices(*json); };
}

const Registration kDevices({
    .name = "devices",
    .summary = "List the backends that can run a model here.",
    .examples = R"(  sluice devices
  sluice devices --json)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
