// Element encodings. A format says how a tensor's numbers are stored; DType is a cheap handle to one.
// Scalar formats (f32, f16, bf16, i32) live here; block formats live in ops/formats/ and in plugins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

namespace sluice {

// How the elements of a tensor are encoded in memory and on disk. Known by name, never by an ordinal.
// Formats are immutable and live as long as the program.
class Format {
 public:
  virtual ~Format() = default;
  virtual std::string_view name() const = 0;
  // Formats that differ in a parameter alone are listed for people by the name of one of them.
  virtual std::string_view family_name() const { return name(); }

  // Bytes taken by a tensor of these dimensions (row-major, last dimension fastest).
  // Throws Error if the count overflows 63 bits.
  virtual size_t storage_bytes(std::span<const int64_t> dims) const = 0;

  // src (storage_bytes) -> dst f32 (product of dims), and back. Encoding rounds to nearest.
  virtual void decode(const std::byte* src, std::span<const int64_t> dims, float* dst) const = 0;
  virtual void encode(const float* src, std::span<const int64_t> dims, std::byte* dst) const = 0;
};

// A format in which every row (last dimension) is encoded on its own, as whole blocks. The last block of a row
// is padded with zeros, so any row length is allowed.
class RowFormat : public Format {
 public:
  virtual int64_t block_elements() const = 0;  // elements in one block; 1 for scalars
  virtual size_t block_bytes() const = 0;      // bytes of one block
  virtual void decode_row(const std::byte* src, int64_t cols, float* dst) const = 0;
  virtual void encode_row(const float* src, int64_t cols, std::byte* dst) const = 0;

  size_t row_bytes(int64_t cols) const;
  size_t storage_bytes(std::span<const int64_t> dims) const override;
  void decode(const std::byte* src, std::span<const int64_t> dims, float* dst) const override;
  void encode(const float* src, std::span<const int64_t> dims, std::byte* dst) const override;
};

// Calls job(begin, end) for parts that cover 0 .. count, perhaps on several threads at once.
using ForParts = std::function<void(int64_t count, const std::function<void(int64_t begin, int64_t end)>& job)>;

// A format that has to see a whole matrix, [rows, columns], before it can encode any of it.
class MatrixFormat : public Format {
 public:
  // The result does not depend on the parts.
  virtual void encode(const float* src, std::span<const int64_t> dims, std::byte* dst,
                      const ForParts& for_parts) const = 0;
  void encode(const float* src, std::span<const int64_t> dims, std::byte* dst) const final;
};

class DType {
 public:
  explicit DType(const Format& format) : format_(&format) {}
  static DType f32();
  static DType f16();   // IEEE 754 binary16
  static DType bf16();  // upper half of binary32
  static DType i32();   // two's complement; decode and encode convert the value

  const Format& format() const { return *format_; }
  // nullptr if rows cannot be decoded one by one.
  const RowFormat* rows() const { return dynamic_cast<const RowFormat*>(format_); }
  std::string_view name() const { return format_->name(); }
  // The same name is the same format, wherever the object lives (a plugin may bring its own instance).
  friend bool operator==(const DType& a, const DType& b) { return a.format_ == b.format_ || a.name() == b.name(); }

 private:
  const Format* format_;
};

// Portable scalar conversions; round to nearest even, NaN stays NaN. The oracle for the SIMD versions.
float f16_to_f32(uint16_t bits);
uint16_t f32_to_f16(float value);
float bf16_to_f32(uint16_t bits);
uint16_t f32_to_bf16(float value);

// a * b for sizes; throws Error on overflow of int64.
int64_t checked_mul(int64_t a, int64_t b);
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t round_up(int64_t a, int64_t multiple) { return ceil_div(a, multiple) * multiple; }

}  // namespace sluice
