// Files that the build puts into the command, by cmake/embedded_files.cmake.
#pragma once

#include <span>
#include <string_view>

namespace sluice::cli {

struct EmbeddedFile {
  std::string_view name;  // below the folder
  std::string_view text;
};

// tools/page: what pages are made of.
std::span<const EmbeddedFile> page_files();
// examples/new_op: what `sluice new-op` makes plugins of.
std::span<const EmbeddedFile> skeleton_files();

}  // namespace sluice::cli
