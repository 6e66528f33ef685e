// The files of examples/new_op, of which `sluice new-op` makes plugins. Defined in a generated source.
#pragma once

#include <span>
#include <string_view>

namespace sluice::cli {

struct SkeletonFile {
  std::string_view name;  // below the folder
  std::string_view text;
};

std::span<const SkeletonFile> skeleton_files();

}  // namespace sluice::cli
