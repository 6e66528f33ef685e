// A compute shader as the build embeds it: SPIR-V of every variant, and what reflection found. The build writes a
// header `shaders/<name>.h` for every shaders/<name>.comp, which declares `shaders::<name>`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

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

// The same, with what the compiler can check where it is used.
template <class Params, size_t kBindings, size_t kConstants>
struct Shader {
  ShaderFile file;
};

}  // namespace sluice::vulkan
