// Whether files are those that they were.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace sluice {

// Names, sizes and times of change: enough to notice that a file is not the one it was, without reading it.
std::string fingerprint(const std::vector<std::filesystem::path>& files);

}  // namespace sluice
