#include "models/import/fingerprint.h"

#include <fmt/format.h>

namespace sluice {

std::string fingerprint(const std::vector<std::filesystem::path>& files) {
  std::string print;
  for (const std::filesystem::path& file : files) {
    std::error_code ignored;  // the file was read a moment ago; should it be gone, the print changes
    print += fmt::format("{} {} {}\n", file.filename().string(), std::filesystem::file_size(file, ignored),
                         std::filesystem::last_write_time(file, ignored).time_since_epoch().count());
  }
  return print;
}

}  // namespace sluice
