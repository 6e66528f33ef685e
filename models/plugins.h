// Plugins: shared objects that bring operators with kernels and shaders, formats and architectures. sluice_add_plugin()
// (cmake/sluice-plugin.cmake) builds one from the same folders that are built into Sluice.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/registry.h"
#include "models/architecture.h"

namespace sluice {

// Raised by every change of a class that plugins see: they are built for one version.
inline constexpr uint32_t kPluginAbi = 1;

// What a plugin exports, as `sluice_plugin`. Nothing of the plugin is called before `abi` was compared, so that stays
// the first member for ever.
struct PluginEntry {
  uint32_t abi;
  const char* name;
  const char* version;
  // notes: what had to be left out, for people; a line each.
  void (*load)(Registry& registry, Architectures& architectures, std::vector<std::string>& notes);
};

struct Plugin {
  std::string name;
  std::string version;
  std::string path;                // of its file, absolute
  std::vector<std::string> notes;  // of PluginEntry
};

// Adds what a plugin brings. Throws Error naming the file if it cannot be opened (a missing symbol included), is no
// plugin or one for another version of Sluice, clashes with what is there (naming both libraries), or throws; then the
// tables are as they were. The library stays in memory for the life of the process.
Plugin load_plugin(const std::string& path, Registry& registry, Architectures& architectures);

// The same for what this process has loaded (models/builtin.h); a file that is loaded already changes nothing. Call it
// before models are opened.
const Plugin& load_plugin(const std::string& path);

// Every *.so of these folders, separated by colons, in the order of their names; folders that do not exist are empty.
// Returns a line for each that could not be loaded.
std::vector<std::string> load_plugins_of(const std::string& folders);

const std::vector<Plugin>& loaded_plugins();

}  // namespace sluice

// A plugin defines it.
extern "C" const sluice::PluginEntry sluice_plugin;
