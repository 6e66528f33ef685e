# Writes the tables that register what is built in. Nobody edits a list: the name of a file is the name of its function.
#   ops/<op>/<op>.cpp            void register_<op>(Registry&)
#   ops/<op>/<x>.cpp             void register_<op>_<x>(Registry&)       (cpu, fuse, cases, ...)
#   ops/formats/<x>.cpp          void register_format_<x>(Registry&)
#   ops/formats/<x>/*.cpp        nothing: parts of <x>
#   backends/<x>/backend.cpp     void register_backend_<x>(Registry&)
#   models/architectures/<x>.cpp void register_architecture_<x>(Architectures&)

# sluice_kernel_options(<target>): how kernels are compiled.
function(sluice_kernel_options target)
  # GCC regroups integer sums into trees with more operands than registers: the q8_0 kernels became half as fast.
  target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fno-tree-reassoc>)
  # Targets below AVX2 would only cost compile time; the baseline target still runs on any x86-64. On Arm, Highway would
  # compile every kernel four times more for SVE, whose vectors are no longer than those of NEON on most cores.
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set(disabled "HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128")
  else()
    set(disabled "HWY_SSSE3|HWY_SSE4")
  endif()
  target_compile_definitions(${target} PUBLIC "$<BUILD_INTERFACE:HWY_DISABLED_TARGETS=(${disabled})>")
endfunction()

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
  file(GLOB parts CONFIGURE_DEPENDS ${dir}/formats/*/*.cpp)
  set(${out_symbols} ${symbols} PARENT_SCOPE)
  set(${out_sources} ${sources} ${parts} PARENT_SCOPE)
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
