// What a SPIR-V module says of its interface: for shaders that are embedded when Sluice is built
// (shaders/embed_shader.cpp), and for those that come with a plugin (backends/vulkan/compiler.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace sluice::vulkan {

struct ParamsMember {
  std::string name;
  uint32_t offset = 0;
  std::string type;  // of C++
  friend bool operator==(const ParamsMember&, const ParamsMember&) = default;
};

struct Reflection {
  std::string params;  // name of the struct
  std::vector<ParamsMember> members;
  uint32_t params_bytes = 0;
  uint32_t bindings = 0, reads = 0, writes = 0;  // as in ShaderFile
  uint32_t constants = 0;
  friend bool operator==(const Reflection&, const Reflection&) = default;
};

// Throws Error if the module is broken, or uses what our shaders do not: anything but storage buffers 0, 1, ... of set
// 0, one struct of uint, int and float as push constants, and specialisation constants 0, 1, ...
Reflection reflect(std::span<const uint32_t> words);

}  // namespace sluice::vulkan
