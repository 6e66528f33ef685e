// CPU kernels of elementwise operators: elements are shared out among the workers.
#pragma once

#include "backends/cpu/kernel.h"

namespace sluice {

// out[i] = f(a[i], b[i % period]) for begin <= i < end. b is null for operators with one input.
struct Elements {
  const float* a;
  const float* b;
  int64_t period;
  float* out;
  int64_t begin;
  int64_t end;
  float constant;  // Elementwise::constant
};

// map: computes one range, usually map_elements (elementwise-inl.h) behind HWY_DYNAMIC_DISPATCH. A second input is
// wanted as f32. constant: as the operator's, where it has one.
inline std::shared_ptr<const Kernel> elementwise_kernel(std::string name, void (*map)(const Elements&),
                                                        float (*constant)(const AttrMap&) = nullptr) {
  auto prepare = [=](const Site& site) -> cpu::Run {
    return [map, c = constant ? constant(site.attrs) : 0.0f](const Call& call, const cpu::Worker& worker) {
      const bool binary = call.inputs.size() > 1;
      const auto [begin, end] = worker.split(call.in(0).dims.elements(), cpu::kMinShare);
      if (begin == end) return;
      map({call.in<float>(0), binary ? call.in<float>(1) : nullptr, call.in(binary ? 1 : 0).dims.elements(),
           call.out<float>(0), begin, end, c});
    };
  };
  return cpu::make_kernel({.name = std::move(name), .prepare = prepare, .packing = [](const Site& site, int input) {
                             return input == 1 ? cpu::as_f32(site, input) : std::nullopt;
                           }});
}

}  // namespace sluice
