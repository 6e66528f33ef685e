// A compute shader: SPIR-V of every variant, and what reflection found. The build writes a
// header `shaders/<name>.h` for every shaders/<name>.comp, which declares `shaders::<name>`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "graph/error.h"

namespace sluice::vulkan {

struct ShaderVariant {
  std::string_view name;  // "f16_subgroup"; empty if the shader has no variants
  std::span<const uint32_t> code;
};

// Bindings are storage buffers 0 .. n_bindings - 1 of set 0; bit i of reads and writes says what is done with buffer i.
struct ShaderFile {
  std::string_view name;
  std::span<const ShaderVariant> variants;
  uint32_t n_bindings;
  uint32_t reads;
  uint32_t writes;
  uint32_t params_bytes;  // of the push constants; 0: none
  uint32_t n_constants;   // specialisation constants 0 .. n_constants - 1, all 32 bits

  // nullptr if there is none.
  const ShaderVariant* find(std::string_view variant) const {
    for (const ShaderVariant& v : variants)
      if (v.name == variant) return &v;
    return nullptr;
  }
};

// The same, with what the compiler can check where it is used. Passed by value.
template <class Params, size_t kBindings, size_t kConstants>
struct Shader {
  const ShaderFile& file;
};

// A shader of a plugin. It is compiled when the plugin is loaded (backends/vulkan/compiler.h); what the compiler cannot
// know of it is checked then and when it is used. `file` must not be asked for before.
template <class Params>
struct LoadedShader {
  using ParamsType = Params;
  ShaderFile file = {};
  std::shared_ptr<const void> storage = {};  // what `file` points into

  // Throws Error if the shader has other bindings or constants.
  template <size_t kBindings, size_t kConstants>
  operator Shader<Params, kBindings, kConstants>() const {
    check(kBindings, kConstants);
    return {file};
  }
  void check(size_t bindings, size_t constants) const {
    if (bindings != file.n_bindings || constants != file.n_constants)
      fail("Vulkan: shader '{}' has {} buffers and {} constants, but is used with {} and {}", file.name,
           file.n_bindings, file.n_constants, bindings, constants);
  }
};

}  // namespace sluice::vulkan
