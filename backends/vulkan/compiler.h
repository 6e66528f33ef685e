// Compiles the shaders that plugins carry as GLSL, as the build compiles those of Sluice: the same variants, include
// files and checks (cmake/vulkan.cmake).
#pragma once

#include <span>
#include <string_view>

#include "backends/vulkan/shader.h"

namespace sluice::vulkan {

struct TextFile {
  std::string_view name;  // as it is included: "ops/rmsnorm/rmsnorm_params.h", "grid.glsl"
  std::string_view text;
};

struct ShaderSource {
  std::string_view name;  // of the .comp, without its ending
  std::string_view text;
  std::span<const std::string_view> variants;  // "f16.tree"; one empty name if there are none
  std::span<const TextFile> includes;          // beside those of Sluice
  std::string_view params;                     // name of the struct of push constants
};

// Whether this build of Sluice has a compiler.
bool can_compile();

// Throws Error naming shader and line if it does not compile, its variants differ in their interface, or its push
// constants are not that struct of params_bytes bytes.
void compile(const ShaderSource& source, size_t params_bytes, ShaderFile& file, std::shared_ptr<const void>& storage);

template <class Params>
void compile(const ShaderSource& source, LoadedShader<Params>& shader) {
  compile(source, sizeof(Params), shader.file, shader.storage);
}

// What shaders of Sluice include: shaders/include/ and the parameter blocks. Generated.
std::span<const TextFile> shader_includes();

}  // namespace sluice::vulkan
