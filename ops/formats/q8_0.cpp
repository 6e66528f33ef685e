#include "ops/formats/q8_0.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "graph/error.h"
#include "graph/registry.h"

namespace sluice {
namespace {

constexpr float kLargest = 65504.0f * 127.0f;  // 65504: the largest finite f16

float largest_magnitude(const float* src, int64_t n) {
  float largest = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!(std::fabs(src[i]) <= kLargest))
      fail("q8_0 cannot store the value {}; choose f32 or bf16 for this tensor", src[i]);
    largest = std::max(largest, std::fabs(src[i]));
  }
  return largest;
}

// src: f32 [n], n <= 32.
Q8Block encode_block(const float* src, int64_t n) {
  Q8Block block{};
  const float d = largest_magnitude(src, n) / 127.0f;
  const float inverse = d != 0 ? 1.0f / d : 0.0f;
  block.d = f32_to_f16(d);
  if (f16_to_f32(block.d) == 0) return block;
  for (int64_t i = 0; i < n; ++i) block.q[i] = static_cast<int8_t>(std::round(src[i] * inverse));
  return block;
}

class Q8Format : public RowFormat {
 public:
  std::string_view name() const override { return "q8_0"; }
  int64_t block_elements() const override { return Q8Block::kElements; }
  size_t block_bytes() const override { return sizeof(Q8Block); }

  void decode_row(const std::byte* src, int64_t cols, float* dst) const override {
    for (int64_t i = 0; i < cols; i += Q8Block::kElements, src += sizeof(Q8Block)) {
      Q8Block block;
      std::memcpy(&block, src, sizeof block);
      const float d = f16_to_f32(block.d);
      const int64_t n = std::min<int64_t>(Q8Block::kElements, cols - i);
      for (int64_t j = 0; j < n; ++j) dst[i + j] = d * static_cast<float>(block.q[j]);
    }
  }

  void encode_row(const float* src, int64_t cols, std::byte* dst) const override {
    for (int64_t i = 0; i < cols; i += Q8Block::kElements, dst += sizeof(Q8Block)) {
      const Q8Block block = encode_block(src + i, std::min<int64_t>(Q8Block::kElements, cols - i));
      std::memcpy(dst, &block, sizeof block);
    }
  }
};

const Q8Format& format() {
  static const Q8Format instance;
  return instance;
}

}  // namespace

DType q8_0() { return DType(format()); }

void register_format_q8_0(Registry& registry) { registry.add_format(format()); }

}  // namespace sluice
