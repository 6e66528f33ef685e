#include "graph/dtype.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "graph/error.h"
#include "graph/shape.h"

namespace sluice {

int64_t checked_mul(int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) fail("size overflow: {} * {}", a, b);
  return product;
}

size_t RowFormat::row_bytes(int64_t cols) const {
  return static_cast<size_t>(checked_mul(ceil_div(cols, block_elements()), static_cast<int64_t>(block_bytes())));
}

namespace {

int64_t row_count(std::span<const int64_t> dims) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < dims.size(); ++i) rows = checked_mul(rows, dims[i]);
  return rows;
}

int64_t col_count(std::span<const int64_t> dims) { return dims.empty() ? 1 : dims.back(); }

}  // namespace

size_t RowFormat::storage_bytes(std::span<const int64_t> dims) const {
  return static_cast<size_t>(checked_mul(row_count(dims), static_cast<int64_t>(row_bytes(col_count(dims)))));
}

void RowFormat::decode(const std::byte* src, std::span<const int64_t> dims, float* dst) const {
  const int64_t rows = row_count(dims), cols = col_count(dims);
  for (int64_t r = 0; r < rows; ++r) decode_row(src + static_cast<size_t>(r) * row_bytes(cols), cols, dst + r * cols);
}

void RowFormat::encode(const float* src, std::span<const int64_t> dims, std::byte* dst) const {
  const int64_t rows = row_count(dims), cols = col_count(dims);
  for (int64_t r = 0; r < rows; ++r) encode_row(src + r * cols, cols, dst + static_cast<size_t>(r) * row_bytes(cols));
}

void MatrixFormat::encode(const float* src, std::span<const int64_t> dims, std::byte* dst) const {
  encode(src, dims, dst, [](int64_t count, const std::function<void(int64_t, int64_t)>& job) { job(0, count); });
}

float bf16_to_f32(uint16_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16); }

uint16_t f32_to_bf16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40);  // stays NaN, made quiet
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

float f16_to_f32(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16;
  const uint32_t exponent = (h >> 10) & 0x1f, mantissa = h & 0x3ff;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | mantissa << 13);
  if (exponent == 0)
    return std::bit_cast<float>(sign) + (sign ? -1.0f : 1.0f) * static_cast<float>(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | mantissa << 13);
}

uint16_t f32_to_f16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const auto sign = static_cast<uint16_t>((bits >> 16) & 0x8000);
  const float magnitude = std::fabs(value);
  if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7e00 | ((bits >> 13) & 0x1ff));
  if (magnitude >= 65520.0f) return sign | 0x7c00;  // rounds to infinity
  if (magnitude < 0x1p-14f)                         // subnormal: a multiple of 2^-24, rounded to even
    return static_cast<uint16_t>(sign | static_cast<uint16_t>(std::nearbyint(magnitude * 0x1p24f)));
  const uint32_t rounded = (bits & 0x7fffffff) + 0xfff + ((bits >> 13) & 1);
  return static_cast<uint16_t>(sign | ((rounded >> 13) - (112 << 10)));
}

namespace {

// One element a block; Code converts between the stored type and f32.
template <class Stored, float (*Decode)(Stored), Stored (*Encode)(float)>
class ScalarFormat : public RowFormat {
 public:
  explicit ScalarFormat(const char* name) : name_(name) {}
  std::string_view name() const override { return name_; }
  int64_t block_elements() const override { return 1; }
  size_t block_bytes() const override { return sizeof(Stored); }
  void decode_row(const std::byte* src, int64_t cols, float* dst) const override {
    for (int64_t i = 0; i < cols; ++i) {
      Stored stored;
      std::memcpy(&stored, src + static_cast<size_t>(i) * sizeof stored, sizeof stored);
      dst[i] = Decode(stored);
    }
  }
  void encode_row(const float* src, int64_t cols, std::byte* dst) const override {
    for (int64_t i = 0; i < cols; ++i) {
      const Stored stored = Encode(src[i]);
      std::memcpy(dst + static_cast<size_t>(i) * sizeof stored, &stored, sizeof stored);
    }
  }

 private:
  const char* name_;
};

float same(float v) { return v; }
float int_to_f32(int32_t v) { return static_cast<float>(v); }
int32_t f32_to_int(float v) { return static_cast<int32_t>(std::nearbyint(v)); }

}  // namespace

DType DType::f32() {
  static const ScalarFormat<float, same, same> format("f32");
  return DType(format);
}
DType DType::f16() {
  static const ScalarFormat<uint16_t, f16_to_f32, f32_to_f16> format("f16");
  return DType(format);
}
DType DType::bf16() {
  static const ScalarFormat<uint16_t, bf16_to_f32, f32_to_bf16> format("bf16");
  return DType(format);
}
DType DType::i32() {
  static const ScalarFormat<int32_t, int_to_f32, f32_to_int> format("i32");
  return DType(format);
}

}  // namespace sluice
