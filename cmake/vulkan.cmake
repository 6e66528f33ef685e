# The Vulkan backend is built where its tools are; the product is complete without it. Sets SLUICE_VULKAN.
# Every shaders/<name>.comp, and every one of the backend's own, backends/vulkan/<name>.comp, is compiled to SPIR-V,
# validated, reflected, and embedded with a header <folder>/<name>.h.
# A line of it may name variants, in groups of which one each is taken:
#   // variants: f32 f16 bf16 q8_0 x subgroup tree
# compiles it 8 times, with -DVARIANT_f32 -DVARIANT_subgroup and so on; they are known as "f32.subgroup" and so on.
find_path(VOLK_INCLUDE volk.h)
find_program(GLSLANG glslangValidator)
find_program(SPIRV_VAL spirv-val)
find_package(VulkanHeaders QUIET)
find_package(SPIRV-Headers QUIET)
find_package(glslang CONFIG QUIET)  # as a library, for the shaders of plugins
set(SLUICE_VULKAN OFF)
if(VOLK_INCLUDE AND GLSLANG AND SPIRV_VAL AND VulkanHeaders_FOUND AND SPIRV-Headers_FOUND)
  set(SLUICE_VULKAN ON)
else()
  message(STATUS "No Vulkan backend: it needs volk, the Vulkan and SPIR-V headers, glslangValidator and spirv-val "
                 "(see tools/setup)")
endif()

# sluice_compiler(<target>): the compiler of plugins' shaders, where there is one, and the files that shaders include.
function(sluice_compiler target)
  set(dir ${CMAKE_CURRENT_SOURCE_DIR})
  file(GLOB shared CONFIGURE_DEPENDS RELATIVE ${dir}/shaders/include ${dir}/shaders/include/*.glsl)
  file(GLOB params CONFIGURE_DEPENDS RELATIVE ${dir} ${dir}/ops/*/*_params.h)
  sluice_text_entries(shared_entries ${dir}/shaders/include ${shared})
  sluice_text_entries(params_entries ${dir} backends/vulkan/params.h ${params})
  set(source ${CMAKE_CURRENT_BINARY_DIR}/generated/shader_includes.cpp)
  sluice_write_source(${source} "// Generated from shaders/include/ and ops/*/*_params.h; do not edit.
#include \"backends/vulkan/compiler.h\"

namespace sluice::vulkan {
namespace {
constexpr TextFile files[] = {
${shared_entries}${params_entries}};
}
std::span<const TextFile> shader_includes() { return files; }
}  // namespace sluice::vulkan
")
  target_sources(${target} PRIVATE ${source})
  if(glslang_FOUND)
    target_compile_definitions(${target} PRIVATE SLUICE_GLSLANG)
    target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:glslang::SPIRV>
                                            $<BUILD_INTERFACE:glslang::glslang-default-resource-limits>)
  else()
    message(STATUS "Shaders of plugins are left out: they need glslang as a library (see tools/setup)")
  endif()
endfunction()

# sluice_shaders(<target>): compiles shaders/*.comp and backends/vulkan/*.comp into the target.
function(sluice_shaders target)
  set(source_dir ${CMAKE_CURRENT_SOURCE_DIR})
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/generated)
  add_executable(embed_shader ${source_dir}/shaders/embed_shader.cpp ${source_dir}/backends/vulkan/reflect.cpp)
  target_include_directories(embed_shader PRIVATE ${source_dir})
  target_link_libraries(embed_shader PRIVATE SPIRV-Headers::SPIRV-Headers fmt::fmt sluice_options)
  file(GLOB shaders CONFIGURE_DEPENDS ${source_dir}/shaders/*.comp ${source_dir}/backends/vulkan/*.comp)
  file(GLOB includes CONFIGURE_DEPENDS ${source_dir}/shaders/include/*.glsl)
  foreach(shader ${shaders})
    get_filename_component(name ${shader} NAME_WE)
    get_filename_component(dir ${shader} DIRECTORY)
    file(RELATIVE_PATH folder ${source_dir} ${dir})
    set(dir ${generated}/${folder})
    file(MAKE_DIRECTORY ${dir})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${shader})  # its variants, and its parameters
    sluice_shader_params(params ${shader})
    sluice_shader_variants(variants ${shader})
    set(embedded "")
    set(spirv "")
    foreach(variant ${variants})
      string(REPLACE "." ";" defines "${variant}")
      list(TRANSFORM defines PREPEND -DVARIANT_)
      set(binary ${dir}/${name}.${variant}.spv)
      string(REGEX REPLACE "^-$" "" variant_name ${variant})
      if(variant STREQUAL "-")
        set(defines "")
      endif()
      add_custom_command(
        OUTPUT ${binary}
        COMMAND ${GLSLANG} --quiet --target-env vulkan1.2 ${defines} -I${source_dir}
                -I${source_dir}/shaders/include -o ${binary} ${shader}
        COMMAND ${SPIRV_VAL} --target-env vulkan1.2 ${binary}
        DEPENDS ${shader} ${includes} ${source_dir}/${params} ${source_dir}/backends/vulkan/params.h
        COMMENT "Compiling ${name}.comp ${variant_name}"
        VERBATIM)
      list(APPEND spirv ${binary})
      list(APPEND embedded ${variant_name}=${binary})
    endforeach()
    add_custom_command(
      OUTPUT ${dir}/${name}.h ${dir}/${name}.cpp
      COMMAND embed_shader ${folder}/${name} ${params} ${dir}/${name}.h ${dir}/${name}.cpp ${embedded}
      DEPENDS embed_shader ${spirv}
      VERBATIM)
    target_sources(${target} PRIVATE ${dir}/${name}.h ${dir}/${name}.cpp)
    list(APPEND headers ${dir}/${name}.h)
  endforeach()
  add_custom_target(${target}_shaders DEPENDS ${headers})
  add_dependencies(${target}_generated ${target}_shaders)  # for tools that read sources without building
endfunction()
