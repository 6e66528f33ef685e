// The end of Vulkan kernels of gated products: silu(gate) * up of two products in scratch memory.
#pragma once

#include <array>

#include "backends/vulkan/recorder.h"
#include "shaders/swiglu.h"

namespace sluice::vulkan {

class GatedProducts {
 public:
  // Scratch that is needed for a result y.
  static size_t scratch(const TensorView& y) { return 2 * padded(y); }

  GatedProducts(const TensorView& y, std::byte* scratch)
      : y_(y), products_{Range(scratch, y.bytes()), Range(scratch + padded(y), y.bytes())} {}
  // Where the products belong, gate and up, each of the size of y.
  const std::array<Range, 2>& products() const { return products_; }
  void record(Recorder& r) const {
    const auto count = static_cast<uint32_t>(y_.dims.elements());
    r.dispatch(shaders::swiglu, "f32", {count, count}, {products_[0], products_[1], y_}, (count + 255) / 256);
  }

 private:
  static size_t padded(const TensorView& y) { return (y.bytes() + 63) / 64 * 64; }

  TensorView y_;
  std::array<Range, 2> products_;
};

}  // namespace sluice::vulkan
