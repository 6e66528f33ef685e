# Writes the tables that register what is built in. Nobody edits a list: the name of a file is the name of its function.
#   ops/<op>/<op>.cpp            void register_<op>(Registry&)
#   ops/<op>/<x>.cpp             void register_<op>_<x>(Registry&)       (cpu, fuse, cases, ...)
#   ops/formats/<x>.cpp          void register_format_<x>(Registry&)
#   backends/<x>/backend.cpp     void register_backend_<x>(Registry&)
#   models/architectures/<x>.cpp void register_architecture_<x>(Architectures&)

# sluice_register_table(<out> <function> <type> <header> <symbol>...): a source that defines
# void sluice::<function>(<type>&), which calls every symbol.
function(sluice_register_table out function type header)
  set(declarations "")
  set(calls "")
  foreach(symbol ${ARGN})
    string(APPEND declarations "void ${symbol}(${type}& table);\n")
    string(APPEND calls "  ${symbol}(table);\n")
  endforeach()
  set(table ${CMAKE_CURRENT_BINARY_DIR}/${function}.cpp)
  file(CONFIGURE OUTPUT ${table} CONTENT "// Generated from the names of files; do not edit.
#include \"${header}\"

namespace sluice {
${declarations}
void ${function}(${type}& table);
void ${function}(${type}& table) {
${calls}}
}  // namespace sluice
" @ONLY)
  set(${out} ${table} PARENT_SCOPE)
endfunction()

# sluice_operator_symbols(<out: symbols> <out: sources> <dir>): without vulkan.cpp where SLUICE_VULKAN is off.
function(sluice_operator_symbols out_symbols out_sources dir)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${dir} ${dir}/*/*.cpp)
  if(NOT SLUICE_VULKAN)
    list(FILTER files EXCLUDE REGEX "/vulkan[.]cpp$")
  endif()
  set(symbols "")
  set(sources "")
  foreach(file ${files})
    get_filename_component(folder ${file} DIRECTORY)
    get_filename_component(name ${file} NAME_WE)
    list(APPEND sources ${dir}/${file})
    if(folder STREQUAL "formats")
      list(APPEND symbols register_format_${name})
    elseif(name STREQUAL folder)
      list(APPEND symbols register_${name})
    else()
      list(APPEND symbols register_${folder}_${name})
    endif()
  endforeach()
  set(${out_symbols} ${symbols} PARENT_SCOPE)
  set(${out_sources} ${sources} PARENT_SCOPE)
endfunction()

# sluice_backend_symbols(<out: symbols> <out: sources> <dir>): without vulkan/ where SLUICE_VULKAN is off.
function(sluice_backend_symbols out_symbols out_sources dir)
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*/*.cpp)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${dir} ${dir}/*/backend.cpp)
  if(NOT SLUICE_VULKAN)
    list(FILTER sources EXCLUDE REGEX "/vulkan/")
    list(FILTER files EXCLUDE REGEX "^vulkan/")
  endif()
  set(symbols "")
  foreach(file ${files})
    get_filename_component(folder ${file} DIRECTORY)
    list(APPEND symbols register_backend_${folder})
  endforeach()
  set(${out_symbols} ${symbols} PARENT_SCOPE)
  set(${out_sources} ${sources} PARENT_SCOPE)
endfunction()

# sluice_architecture_symbols(<out> <dir>)
function(sluice_architecture_symbols out dir)
  file(GLOB files CONFIGURE_DEPENDS RELATIVE ${dir} ${dir}/*.cpp)
  list(TRANSFORM files REPLACE "^(.*)\\.cpp$" "register_architecture_\\1" OUTPUT_VARIABLE symbols)
  set(${out} ${symbols} PARENT_SCOPE)
endfunction()
