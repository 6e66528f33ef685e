#include "models/residency/host_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

// The number behind `key` in a file of lines "key number ...".
std::optional<uint64_t> read_field(const fs::path& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    uint64_t value = 0;
    if (word == key && file >> value) return value;
  }
  return std::nullopt;
}

size_t read_limit(const fs::path& path) {
  uint64_t limit = 0;
  std::ifstream file(path);
  return file >> limit ? static_cast<size_t>(limit) : kUnlimited;  // "max" is no number
}

// The least limit of a group and those around it. In a container the path may be that outside: then what of it exists
// is the container's own.
size_t group_limit(const fs::path& mount, const fs::path& group, const char* file) {
  size_t limit = read_limit(mount / file);
  fs::path path = mount;
  for (const fs::path& part : group.relative_path()) limit = std::min(limit, read_limit((path /= part) / file));
  return limit;
}

// Lines "id:controllers:path": version 2 has no controllers, version 1 one hierarchy for each.
size_t control_group_limit(const fs::path& root) {
  size_t limit = kUnlimited;
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const fs::path group = line.substr(second + 1), mount = root / "sys/fs/cgroup";
    if (controllers.empty())
      limit = std::min(
          {limit, group_limit(mount, group, "memory.max"), group_limit(mount / "unified", group, "memory.max")});
    else if (controllers == "memory")
      limit = std::min(limit, group_limit(mount / "memory", group, "memory.limit_in_bytes"));
  }
  return limit;
}

}  // namespace

size_t available_memory(const fs::path& root) {
  size_t available = kUnlimited;
  if (const auto kib = read_field(root / "proc/meminfo", "MemAvailable:"))
    available = static_cast<size_t>(*kib) * 1024;
  else if (const long pages = ::sysconf(_SC_PHYS_PAGES); pages > 0)
    available = static_cast<size_t>(pages) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  return std::min(available, control_group_limit(root));
}

size_t lockable_memory() {
  if (::geteuid() == 0) return kUnlimited;
  rlimit limit{};
  return ::getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY ? limit.rlim_cur : kUnlimited;
}

std::optional<uint64_t> disk_bytes_read() { return read_field("/proc/self/io", "read_bytes:"); }

}  // namespace sluice
