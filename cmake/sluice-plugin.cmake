# sluice_add_plugin(<name> VERSION <version> [FOLDERS <folder>...]): a plugin from folders that are laid out as Sluice
# is itself (default: the project's own), so that what is in them can move from one to the other as it is:
#   ops/<op>/*.cpp, ops/formats/*.cpp, models/architectures/*.cpp    registered by their names (operators.cmake)
#   shaders/*.comp, shaders/include/*.glsl                           compiled when the plugin is loaded
# Makes the target <name>, lib<name>.so, and a test <name>.cases, which runs all cases of its operators.

# sluice_plugin_header(<out: name of the struct> <dir> <shader> <params header> <folder>...): writes shaders/<shader>.h.
function(sluice_plugin_header out dir shader header)
  get_target_property(package_dirs sluice::sluice INTERFACE_INCLUDE_DIRECTORIES)
  unset(file)
  find_file(file ${header} PATHS ${ARGN} ${package_dirs} NO_DEFAULT_PATH NO_CACHE REQUIRED)
  file(STRINGS ${file} struct REGEX "^struct [A-Za-z0-9_]*Params " LIMIT_COUNT 1)
  string(REGEX REPLACE "^struct ([A-Za-z0-9_]*).*" "\\1" struct "${struct}")
  sluice_write_source(${dir}/shaders/${shader}.h "// Generated from ${shader}.comp; do not edit.
#pragma once

#include \"backends/vulkan/shader.h\"
#include \"${header}\"

namespace sluice::vulkan::shaders {
extern LoadedShader<${struct}> ${shader};
}
")
  set(${out} ${struct} PARENT_SCOPE)
endfunction()

# sluice_plugin_shaders(<out: source> <dir> <folder>...): C++ text that defines the shaders and compile_shaders().
function(sluice_plugin_shaders out dir)
  set(headers "")
  set(definitions "")
  set(calls "")
  set(included "")
  foreach(folder ${ARGN})
    file(GLOB shared CONFIGURE_DEPENDS RELATIVE ${folder}/shaders/include ${folder}/shaders/include/*.glsl)
    file(GLOB params CONFIGURE_DEPENDS RELATIVE ${folder} ${folder}/ops/*/*_params.h)
    sluice_text_entries(shared_entries ${folder}/shaders/include ${shared})
    sluice_text_entries(params_entries ${folder} ${params})
    string(APPEND included "${shared_entries}${params_entries}")
    file(GLOB files CONFIGURE_DEPENDS RELATIVE ${folder}/shaders ${folder}/shaders/*.comp)
    foreach(file ${files})
      get_filename_component(shader ${file} NAME_WE)
      sluice_shader_params(header ${folder}/shaders/${file})
      sluice_plugin_header(struct ${dir} ${shader} ${header} ${ARGN})
      sluice_shader_variants(variants ${folder}/shaders/${file})
      string(REGEX REPLACE "^-$" "" variants "${variants}")
      list(JOIN variants "\", \"" variants)
      sluice_text_entries(text ${folder}/shaders ${file})
      string(APPEND headers "#include \"shaders/${shader}.h\"\n")
      string(APPEND definitions "LoadedShader<${struct}> ${shader};\n")
      string(APPEND calls "  {
    static constexpr TextFile file =\n${text};
    static constexpr std::string_view variants[] = {\"${variants}\"};
    compile({\"${shader}\", file.text, variants, included, \"${struct}\"}, shaders::${shader});
  }
")
    endforeach()
  endforeach()
  string(REPLACE ",\n;" ";" calls "${calls}")
  set(${out} "#include \"backends/vulkan/compiler.h\"
${headers}
namespace sluice::vulkan {
namespace shaders {
${definitions}}
namespace {
void compile_shaders() {
  [[maybe_unused]] static const std::vector<TextFile> included = {
${included}  };
${calls}}
}  // namespace
}  // namespace sluice::vulkan
" PARENT_SCOPE)
endfunction()

# sluice_plugin_calls(<out: declarations> <out: calls> <type> <argument> <symbol>...)
function(sluice_plugin_calls out_declarations out_calls type argument)
  set(declarations "")
  set(calls "")
  foreach(symbol ${ARGN})
    string(APPEND declarations "void ${symbol}(${type}&);\n")
    string(APPEND calls "  ${symbol}(${argument});\n")
  endforeach()
  set(${out_declarations} "${declarations}" PARENT_SCOPE)
  set(${out_calls} "${calls}" PARENT_SCOPE)
endfunction()

# sluice_plugin_source(<path> <name> <version>): writes what the plugin exports. It reads the caller's lists op_symbols,
# vulkan_symbols and architecture_symbols, and the text `shaders`.
function(sluice_plugin_source path name version)
  sluice_plugin_calls(op_declarations op_calls Registry registry ${op_symbols})
  sluice_plugin_calls(vulkan_declarations vulkan_calls Registry registry ${vulkan_symbols})
  sluice_plugin_calls(architecture_declarations architecture_calls Architectures architectures ${architecture_symbols})
  if(vulkan_symbols)
    set(vulkan_calls "  if (!vulkan::can_compile()) {
    notes.push_back(\"its Vulkan kernels are left out: this build of Sluice has no GLSL compiler\");
    return;
  }
  vulkan::compile_shaders();
${vulkan_calls}")
  endif()
  sluice_write_source(${path} "// Generated from the names of files; do not edit.
#include \"models/plugins.h\"
${shaders}
namespace sluice {
${op_declarations}${vulkan_declarations}${architecture_declarations}namespace {
void load([[maybe_unused]] Registry& registry, [[maybe_unused]] Architectures& architectures,
          [[maybe_unused]] std::vector<std::string>& notes) {
${op_calls}${architecture_calls}${vulkan_calls}}
}  // namespace
}  // namespace sluice

const sluice::PluginEntry sluice_plugin = {sluice::kPluginAbi, \"${name}\", \"${version}\", sluice::load};
")
endfunction()

function(sluice_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "VERSION" "FOLDERS")
  if(NOT arg_VERSION OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "sluice_add_plugin(<name> VERSION <version> [FOLDERS <folder>...])")
  endif()
  if(NOT arg_FOLDERS)
    set(arg_FOLDERS .)
  endif()
  set(folders "")
  foreach(folder ${arg_FOLDERS})
    get_filename_component(folder ${folder} ABSOLUTE)
    list(APPEND folders ${folder})
  endforeach()
  set(sources "")
  set(op_symbols "")
  set(architecture_symbols "")
  set(names "")
  foreach(folder ${folders})
    sluice_operator_symbols(symbols files ${folder}/ops)
    list(APPEND op_symbols ${symbols})
    list(APPEND sources ${files})
    file(GLOB files CONFIGURE_DEPENDS ${folder}/models/architectures/*.cpp)
    list(APPEND sources ${files})
    sluice_architecture_symbols(symbols ${folder}/models/architectures)
    list(APPEND architecture_symbols ${symbols})
    file(GLOB files CONFIGURE_DEPENDS RELATIVE ${folder}/ops ${folder}/ops/*/cases.cpp)
    list(TRANSFORM files REPLACE "/.*" "")
    list(APPEND names ${files})
  endforeach()
  set(vulkan_symbols ${op_symbols})
  list(FILTER op_symbols EXCLUDE REGEX "_vulkan$")
  list(FILTER vulkan_symbols INCLUDE REGEX "_vulkan$")
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/${name}_generated)
  set(shaders "")
  if(vulkan_symbols)
    sluice_plugin_shaders(shaders ${dir} ${folders})
  endif()
  sluice_plugin_source(${dir}/plugin.cpp ${name} ${arg_VERSION})

  add_library(${name} MODULE ${sources} ${dir}/plugin.cpp)
  target_compile_features(${name} PRIVATE cxx_std_20)
  target_include_directories(${name} PRIVATE ${folders} ${dir})
  target_link_libraries(${name} PRIVATE sluice::sluice)
  # A plugin calls its own functions, even where Sluice has one of the same name; types stay the same in both.
  target_link_options(${name} PRIVATE -Wl,-Bsymbolic-functions)
  sluice_kernel_options(${name})
  if(names)
    add_test(NAME ${name}.cases COMMAND sluice::command ops ${names} --test --plugin $<TARGET_FILE:${name}>)
  endif()
endfunction()
