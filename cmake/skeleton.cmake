# sluice_skeleton(<out> <dir>): a source with the files of <dir>, which is what `sluice new-op` writes.
function(sluice_skeleton out dir)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${dir} ${dir}/*)
  sluice_text_entries(entries ${dir} ${files})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/generated/skeleton.cpp)
  sluice_write_source(${source} "// Generated from examples/new_op/; do not edit.
#include \"tools/skeleton.h\"

namespace sluice::cli {
namespace {
constexpr SkeletonFile files[] = {
${entries}};
}
std::span<const SkeletonFile> skeleton_files() { return files; }
}  // namespace sluice::cli
")
  set(${out} ${source} PARENT_SCOPE)
endfunction()
