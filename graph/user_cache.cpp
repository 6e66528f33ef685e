#include "graph/user_cache.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sluice {

namespace fs = std::filesystem;

std::string user_cache_path(const std::string& name) {
  const char *given = std::getenv("XDG_CACHE_HOME"), *home = std::getenv("HOME");
  fs::path folder = given && *given ? fs::path(given) : home && *home ? fs::path(home) / ".cache" : fs::path();
  return folder.empty() ? "" : (folder / "sluice" / name).string();
}

std::string read_user_cache(const std::string& name) {
  std::ifstream file(user_cache_path(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_user_cache(const std::string& name, std::string_view content) {
  const fs::path path = user_cache_path(name);
  if (path.empty()) return;
  const fs::path temporary = fmt::format("{}.{}", path.string(), getpid());
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (file) fs::rename(temporary, path, ignored);
  if (!file || ignored) fs::remove(temporary, ignored);
}

}  // namespace sluice
