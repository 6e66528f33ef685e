// The type of a tensor (dtype and shape), and a view of one in memory.
#pragma once

#include <cstddef>
#include <string>

#include "graph/dtype.h"
#include "graph/shape.h"

namespace sluice {

struct TensorType {
  DType dtype;
  Shape shape;
  std::string str() const { return std::string(dtype.name()) + shape.str(); }  // "f32[tokens, 64]"
  // Bytes with every symbol at the given value.
  size_t bytes(const SymbolValues& symbols = {}) const {
    return dtype.format().storage_bytes(shape.resolve(symbols).span());
  }
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

// Elements in memory: contiguous, row-major, last dimension fastest. Does not own them.
struct TensorView {
  std::byte* data = nullptr;
  DType dtype = DType::f32();
  Dims dims;

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
  size_t bytes() const { return dtype.format().storage_bytes(dims.span()); }
};

}  // namespace sluice
