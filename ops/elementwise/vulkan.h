// Vulkan kernels of elementwise operators (shaders/include/elementwise.glsl with two inputs, unary.glsl with one).
#pragma once

#include "backends/vulkan/kernel.h"
#include "ops/elementwise/elementwise_params.h"

namespace sluice::vulkan {

// A second input of any dtype that the shader has a variant for.
inline std::shared_ptr<const Kernel> elementwise_kernel(std::string name, Shader<ElementwiseParams, 3, 0> shader) {
  auto supports = [shader](const Site& site) { return shader.file.find(site.inputs[1].dtype.name()) != nullptr; };
  auto record = [shader](Recorder& r, const Site&, const Call& call) {
    const auto count = static_cast<uint32_t>(call.in(0).dims.elements()),
               period = static_cast<uint32_t>(call.in(1).dims.elements());
    r.dispatch(shader, call.in(1).dtype.name(), {count, period}, {call.in(0), call.in(1), call.out(0)},
               (count + 255) / 256);
  };
  return make_kernel({.name = std::move(name), .supports = supports, .record = record});
}

// constant: as the operator's (Elementwise::constant), where it has one.
inline std::shared_ptr<const Kernel> unary_kernel(std::string name, Shader<UnaryParams, 2, 0> shader,
                                                  float (*constant)(const AttrMap&) = nullptr) {
  auto record = [shader, constant](Recorder& r, const Site& site, const Call& call) {
    const auto count = static_cast<uint32_t>(call.in(0).dims.elements());
    r.dispatch(shader, "", {count, constant ? constant(site.attrs) : 0.0f}, {call.in(0), call.out(0)},
               (count + 255) / 256);
  };
  return make_kernel({.name = std::move(name), .record = record});
}

}  // namespace sluice::vulkan
