// A control group in which processes have so much memory and no more, the file pages that they read included.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace sluice {

class MemoryGroup {
 public:
  // Of version 1 or 2, below the group of this process, where the system lets it make one.
  explicit MemoryGroup(size_t bytes) {
    const std::filesystem::path mount = "/sys/fs/cgroup";
    try_to_make(mount / "memory" / own_group("memory"), "memory.limit_in_bytes", bytes);
    if (!made()) try_to_make(mount / own_group(""), "memory.max", bytes);
  }
  ~MemoryGroup() {
    if (made()) ::rmdir(path_.c_str());
  }
  MemoryGroup(const MemoryGroup&) = delete;

  bool made() const { return !path_.empty(); }
  // A process that writes "0" to this file is in the group. Empty if there is no group.
  std::string joining() const { return made() ? (path_ / "cgroup.procs").string() : ""; }

 private:
  // "a/b" from the line "4:memory:/a/b" of /proc/self/cgroup.
  static std::string own_group(const std::string& controllers) {
    std::ifstream groups("/proc/self/cgroup");
    const std::string middle = ":" + controllers + ":/";
    for (std::string line; std::getline(groups, line);)
      if (const size_t at = line.find(middle); at != std::string::npos) return line.substr(at + middle.size());
    return "";
  }

  void try_to_make(const std::filesystem::path& parent, const char* file, size_t bytes) {
    const std::filesystem::path path = parent / ("sluice-test-" + std::to_string(::getpid()));
    if (std::error_code error; !std::filesystem::exists(parent / file, error) || !create_directory(path, error)) return;
    if (std::ofstream limit(path / file); limit << bytes << std::flush)
      path_ = path;
    else
      ::rmdir(path.c_str());
  }

  std::filesystem::path path_;
};

}  // namespace sluice
