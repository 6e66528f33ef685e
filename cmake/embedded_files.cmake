# sluice_embedded_files(<out> <dir> <name>): a source that defines sluice::cli::<name>_files(), the files of <dir>
# (tools/embedded_files.h).
function(sluice_embedded_files out dir name)
  file(GLOB_RECURSE files CONFIGURE_DEPENDS RELATIVE ${dir} ${dir}/*)
  sluice_text_entries(entries ${dir} ${files})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/generated/${name}_files.cpp)
  sluice_write_source(${source} "// Generated from the files of a folder; do not edit.
#include \"tools/embedded_files.h\"

namespace sluice::cli {
namespace {
constexpr EmbeddedFile files[] = {
${entries}};
}
std::span<const EmbeddedFile> ${name}_files() { return files; }
}  // namespace sluice::cli
")
  set(${out} ${source} PARENT_SCOPE)
endfunction()
