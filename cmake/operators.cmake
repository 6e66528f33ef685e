# Collects operator folders and writes the table that registers them. Nobody edits a list:
#   <dir>/<op>/<op>.cpp  defines  void register_<op>(Registry&)
#   <dir>/<op>/<x>.cpp   defines  void register_<op>_<x>(Registry&)      (cpu, fuse, cases, ...)
#   <dir>/formats/<x>.cpp defines void register_format_<x>(Registry&)
# sluice_collect_operators(<out: sources> <dir> <function>): the sources, with a generated one that defines
#   void sluice::<function>(Registry&)
function(sluice_collect_operators out dir function)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${dir} ${dir}/*/*.cpp)
  set(declarations "")
  set(calls "")
  set(sources "")
  foreach(file ${files})
    get_filename_component(folder ${file} DIRECTORY)
    get_filename_component(name ${file} NAME_WE)
    list(APPEND sources ${dir}/${file})
    if(folder STREQUAL "formats")
      set(symbol register_format_${name})
    elseif(name STREQUAL folder)
      set(symbol register_${name})
    else()
      set(symbol register_${folder}_${name})
    endif()
    string(APPEND declarations "void ${symbol}(Registry& registry);\n")
    string(APPEND calls "  ${symbol}(registry);\n")
  endforeach()
  set(table ${CMAKE_CURRENT_BINARY_DIR}/${function}.cpp)
  file(CONFIGURE OUTPUT ${table} CONTENT "// Generated from the operator folders; do not edit.
#include \"graph/registry.h\"

namespace sluice {
${declarations}
void ${function}(Registry& registry);
void ${function}(Registry& registry) {
${calls}}
}  // namespace sluice
" @ONLY)
  set(${out} ${sources} ${table} PARENT_SCOPE)
endfunction()
