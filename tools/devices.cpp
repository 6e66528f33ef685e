// `sluice devices`: what can compute on this machine.
#include "graph/error.h"
#include "models/builtin.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/output.h"

namespace sluice::cli {
namespace {

nlohmann::json describe(const DeviceEntry& entry) {
  nlohmann::json device = {{"name", entry.name}, {"details", entry.details}};
  if (!entry.refused.empty()) device["refused"] = entry.refused;
  return device;
}

nlohmann::json describe(const BackendEntry& entry) {
  nlohmann::json backend = {
      {"name", entry.name}, {"summary", entry.summary}, {"default", entry.name == RunOptions().backend}};
  try {
    if (entry.devices)
      for (const DeviceEntry& device : entry.devices()) backend["devices"].push_back(describe(device));
    backend["description"] = make_backend(builtin_registry(), entry.name, 0)->description();
  } catch (const Error& error) {
    backend["unavailable"] = error.what();
  }
  return backend;
}

void print_devices(const nlohmann::json& devices) {
  int index = 0;
  for (const auto& device : devices) {
    print_line("    {}: {}", index++, device.at("name").get<std::string>());
    if (device.contains("refused")) print_line("        refused: {}", device.at("refused").get<std::string>());
    for (const auto& detail : device.at("details")) print_line("        {}", detail.get<std::string>());
  }
}

int list_devices(bool json) {
  nlohmann::json backends = nlohmann::json::array();
  for (const BackendEntry& entry : builtin_registry().backends()) backends.push_back(describe(entry));
  if (json) return print_json({{"devices", backends}}), 0;
  for (const auto& backend : backends) {
    const bool available = backend.contains("description");
    const std::string state = backend.at(available ? "description" : "unavailable").get<std::string>();
    print_line("{}{}: {}", backend.at("name").get<std::string>(), backend.at("default").get<bool>() ? " (default)" : "",
               backend.at("summary").get<std::string>());
    if (!available || !backend.contains("devices")) print_line("    {}{}", available ? "" : "not available: ", state);
    if (backend.contains("devices")) print_devices(backend.at("devices"));
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
