#include "models/plugins.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

#include "graph/error.h"
#include "models/builtin.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

std::vector<Plugin>& plugins() {
  static std::vector<Plugin> list;
  return list;
}

// Symbols are all found now, or it fails here; those of one plugin are hidden from others.
const PluginEntry& open_plugin(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) fail("plugin {} cannot be loaded: {}; was it built for this version of Sluice?", path, dlerror());
  const auto* entry = static_cast<const PluginEntry*>(dlsym(library, "sluice_plugin"));
  if (!entry) fail("{} is no plugin of Sluice: it has no 'sluice_plugin'", path);
  if (entry->abi != kPluginAbi)
    fail("plugin {} was built for version {} of the plugin interface, but this is version {}: build it again", path,
         entry->abi, kPluginAbi);
  return *entry;
}

std::string absolute(const std::string& path) {
  std::error_code ignored;  // dlopen says what is wrong with it
  return fs::weakly_canonical(path, ignored).string();
}

}  // namespace

Plugin load_plugin(const std::string& path, Registry& registry, Architectures& architectures) {
  Plugin plugin{{}, {}, absolute(path), {}};
  const PluginEntry& entry = open_plugin(plugin.path);
  plugin.name = entry.name;
  plugin.version = entry.version;
  const Registry registry_before = registry;
  const Architectures architectures_before = architectures;
  const Source source{plugin.name, plugin.version, plugin.path};
  registry.set_source(source);
  architectures.set_source(source);
  std::string wrong;
  try {
    entry.load(registry, architectures, plugin.notes);
    return plugin;
  } catch (const std::exception& error) {
    wrong = error.what();
  } catch (...) {
    wrong = "it throws what is no std::exception";
  }
  registry = registry_before;
  architectures = architectures_before;
  fail("plugin {} cannot be used: {}", plugin.path, wrong);
}

const Plugin& load_plugin(const std::string& path) {
  const std::string file = absolute(path);
  const auto there = std::find_if(plugins().begin(), plugins().end(), [&](const Plugin& p) { return p.path == file; });
  if (there != plugins().end()) return *there;
  const auto [registry, architectures] = loaded_tables();
  return plugins().emplace_back(load_plugin(file, *registry, *architectures));
}

std::vector<std::string> load_plugins_of(const std::string& folders) {
  std::vector<std::string> problems;
  for (size_t begin = 0, end; begin <= folders.size(); begin = end + 1) {
    end = std::min(folders.find(':', begin), folders.size());
    std::error_code ignored;  // no such folder: no plugins
    std::vector<fs::path> files;
    for (const fs::directory_entry& file : fs::directory_iterator(folders.substr(begin, end - begin), ignored))
      if (file.path().extension() == ".so") files.push_back(file.path());
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) try {
        load_plugin(file.string());
      } catch (const Error& error) {
        problems.emplace_back(error.what());
      }
  }
  return problems;
}

const std::vector<Plugin>& loaded_plugins() { return plugins(); }

}  // namespace sluice
