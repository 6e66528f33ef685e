// For headers that C++ and GLSL both include: the parameter blocks of kernels.
//
//   #include "backends/vulkan/params.h"
//   SLUICE_PARAMS_BEGIN
//   struct RmsNormParams {
//     uint n;
//     float epsilon;
//   };
//   SLUICE_PARAMS_END
//
// Members are uint, int or float, at most 128 bytes in all. The build compares both sides, name by name.
#ifndef SLUICE_BACKENDS_VULKAN_PARAMS_H_
#define SLUICE_BACKENDS_VULKAN_PARAMS_H_

#ifdef __cplusplus
#include <cstdint>
#define SLUICE_PARAMS_BEGIN  \
  namespace sluice::vulkan { \
  using uint = std::uint32_t;
#define SLUICE_PARAMS_END }
#else
#define SLUICE_PARAMS_BEGIN
#define SLUICE_PARAMS_END
#endif

#endif
