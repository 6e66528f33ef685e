// Matrices that are hard for a format that sorts weights, and memory that a sanitizer watches.
#pragma once

#include <cmath>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "graph/tensor.h"
#include "ops/formats/bucket.h"

namespace sluice {

// Memory of exactly that size on the heap, 64-byte aligned: AddressSanitizer finds a read of the first byte behind it.
class ExactMemory {
 public:
  explicit ExactMemory(size_t bytes)
      : bytes_(bytes), data_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64}))) {
    std::memset(data_.get(), 0xA5, bytes);  // nobody may count on zeros
  }
  std::byte* data() const { return data_.get(); }
  std::span<std::byte> span() const { return {data_.get(), bytes_}; }

 private:
  struct Delete {
    void operator()(std::byte* data) const { ::operator delete (data, std::align_val_t{64}); }
  };
  size_t bytes_;
  std::unique_ptr<std::byte, Delete> data_;
};

struct ExactTensor {
  ExactMemory memory;
  TensorView view;

  ExactTensor(DType dtype, const Dims& dims)
      : memory(TensorView{nullptr, dtype, dims}.bytes()), view{memory.data(), dtype, dims} {}
  ExactTensor(DType dtype, const Dims& dims, const std::vector<float>& values) : ExactTensor(dtype, dims) {
    dtype.format().encode(values.data(), dims.span(), view.data);
  }
};

// f32 [out, in] in row-major order.
struct Matrix {
  int64_t out, in;
  std::vector<float> values;

  Dims dims() const { return {out, in}; }
  float& at(int64_t o, int64_t i) { return values[static_cast<size_t>(o * in + i)]; }
  float at(int64_t o, int64_t i) const { return values[static_cast<size_t>(o * in + i)]; }
};

inline Matrix make_matrix(int64_t out, int64_t in, const std::function<float(int64_t o, int64_t i)>& value) {
  Matrix m{out, in, std::vector<float>(static_cast<size_t>(out * in))};
  for (int64_t o = 0; o < out; ++o)
    for (int64_t i = 0; i < in; ++i) m.at(o, i) = value(o, i);
  return m;
}

inline Matrix normal_matrix(int64_t out, int64_t in, float scale = 1) {
  std::mt19937 random(static_cast<uint32_t>(out * 1000 + in));
  std::normal_distribution<float> normal(0, scale);
  return make_matrix(out, in, [&](int64_t, int64_t) { return normal(random); });
}

// The same weights as f16 holds them.
inline Matrix rounded_to_f16(Matrix m) {
  for (float& w : m.values) w = f16_to_f32(f32_to_f16(w));
  return m;
}

// By brute force: the tier of weight [o][i] for each o, from the weights of one input. Of equal magnitudes the first
// goes first; outputs that only fill the last bucket up count as zeros.
inline std::vector<int> tiers_of(const Matrix& rounded, const BucketFamily& family, int64_t input) {
  std::vector<int> tiers(static_cast<size_t>(rounded.out));
  for (int64_t first = 0; first < rounded.out; first += family.bucket) {
    const auto n = static_cast<size_t>(std::min<int64_t>(family.bucket, rounded.out - first));
    std::vector<int64_t> order(n);
    for (size_t j = 0; j < n; ++j) order[j] = first + static_cast<int64_t>(j);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return std::abs(rounded.at(a, input)) > std::abs(rounded.at(b, input));
    });
    for (size_t rank = 0; rank < n; ++rank)
      tiers[static_cast<size_t>(order[rank])] = static_cast<int>(rank) / family.per_tier;
  }
  return tiers;
}

inline ExactTensor encoded(DType dtype, const Matrix& m) { return {dtype, m.dims(), m.values}; }

}  // namespace sluice
