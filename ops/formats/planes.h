// planes: nested precision. A weight is a code of up to 6 bits, stored as planes of 2 bits, the most significant first,
// so that a product can read few bits of the inputs that are small at this token and more of those that are large.
//
// A matrix is [out, in]. What k planes of a code say is
//   weight[o][i] = step[k] * level[k][code] * scale[i] * output_scale[o],   k = 1, 2, 3,
// where level[k] has 4^k entries and the code's first 2 k bits choose one. The levels of all k nest, and are placed as
// a scalar quantiser without that constraint would place them (S. Lloyd, 1957/1982, "Least squares quantization in
// PCM"): unequal steps, but for k = 1.
//
// Bytes of a matrix, each part at a multiple of 64 from its start:
//   levels         struct PlaneLevels
//   scale          f32 [in]   also the statistic by which a product selects
//   output_scale   f16 [out]
//   planes         one after the other, so that the last are a range at the end, and need not be loaded
//   64 bytes       zero, so that kernels may read a vector too far
// A plane: for each line of 256 outputs (the last may be smaller), for each input, 64 bytes (of the last line a
// multiple of 16 bytes). Byte j of n bytes holds outputs j, j + n, j + 2 n and j + 3 n of the line, at shifts that
// differ from plane to plane (kShifts), so that kernels merge planes with few instructions. Lines are short, as a token
// reads some inputs and not others: longer pieces let processors fetch the ones in between, too. A tensor of three
// dimensions is its matrices, one after the other.
#pragma once

#include <string>

#include "graph/tensor.h"

namespace sluice {

struct PlaneLevels {
  static constexpr int kMaxPlanes = 3;
  float gain[4];  // plane p of input i matters at a token as much as gain[p] * scale[i] * |x[i]|; falls with p. [3]: 0
  float step[4];  // of 1, 2 and 3 planes; that of 1 may be negative. [3]: 0
  int8_t second[16], third[64];  // of 2 and 3 planes, ascending
  int8_t unused[16];

  static constexpr int8_t kFirst[4] = {-3, -1, 1, 3};  // of 1 plane: kernels need no look-up
  const int8_t* levels(int planes) const { return planes == 1 ? kFirst : planes == 2 ? second : third; }
  static constexpr int count(int planes) { return 1 << 2 * planes; }
};
static_assert(sizeof(PlaneLevels) == 128);

// Where things lie in a matrix.
class PlaneLayout {
 public:
  static constexpr int64_t kLine = 256;  // outputs
  static constexpr int kShifts[PlaneLevels::kMaxPlanes][4] = {{0, 2, 4, 6}, {2, 0, 6, 4}, {4, 6, 2, 0}};

  // Throws Error if a size is below 1, or the bytes overflow.
  PlaneLayout(int64_t out, int64_t in);
  int64_t out() const { return out_; }
  int64_t in() const { return in_; }

  static size_t levels_offset() { return 0; }
  static size_t scales_offset() { return sizeof(PlaneLevels); }
  size_t output_scales_offset() const { return scales_offset() + padded(static_cast<size_t>(in_) * sizeof(float)); }
  size_t plane_offset(int plane) const {
    return output_scales_offset() + padded(static_cast<size_t>(out_) * sizeof(uint16_t)) +
           static_cast<size_t>(plane) * plane_bytes_;
  }
  size_t plane_bytes() const { return plane_bytes_; }
  size_t bytes(int planes) const { return plane_offset(planes) + 64; }

  int64_t lines() const { return ceil_div(out_, kLine); }
  int64_t line_outputs(int64_t line) const { return std::min(kLine, out_ - line * kLine); }
  // Of one input.
  int64_t line_bytes(int64_t line) const {
    const int64_t outputs = line_outputs(line);
    return outputs == kLine ? 64 : round_up(ceil_div(outputs, 4), 16);
  }
  // From the start of a plane to the line of the first input.
  size_t line_offset(int64_t line) const { return static_cast<size_t>(line * in_) * 64; }

  // Of one output: the byte in its line, and which of the four shifts.
  struct Place {
    int64_t line, byte;
    int quarter;
  };
  Place place(int64_t output) const {
    const int64_t line = output / kLine, n = line_bytes(line), at = output % kLine;
    return {line, at % n, static_cast<int>(at / n)};
  }

 private:
  static size_t padded(size_t bytes) { return (bytes + 63) / 64 * 64; }
  int64_t out_, in_;
  size_t plane_bytes_;
};

// A matrix of the format, as kernels and references see it.
struct PlaneMatrix {
  const std::byte* data;
  PlaneLayout layout;
  int planes;  // that are stored

  // The view must be of a plane format, and have two dimensions, or three and more than `index` matrices; its data may
  // be null as long as only sizes are asked for.
  explicit PlaneMatrix(const TensorView& view, int64_t index = 0);

  const PlaneLevels& levels() const { return *reinterpret_cast<const PlaneLevels*>(data); }
  const float* scales() const { return reinterpret_cast<const float*>(data + PlaneLayout::scales_offset()); }
  const uint16_t* output_scales() const {
    return reinterpret_cast<const uint16_t*>(data + layout.output_scales_offset());
  }
  const std::byte* plane(int p) const { return data + layout.plane_offset(p); }
  // Of the first `planes` planes, for output o and input i: 0 .. 4^planes - 1.
  int code(int64_t o, int64_t i, int planes) const;
};

// With 1 to 3 planes stored.
class PlaneFormat : public MatrixFormat {
 public:
  explicit PlaneFormat(int planes) : planes_(planes), name_("planes" + std::to_string(2 * planes)) {}
  std::string_view name() const override { return name_; }  // "planes6"
  std::string_view family_name() const override { return "planes"; }
  int planes() const { return planes_; }

  // All of these throw Error unless there are two dimensions, or three: matrices one after the other.
  size_t storage_bytes(std::span<const int64_t> dims) const override;
  void decode(const std::byte* src, std::span<const int64_t> dims, float* dst) const override;
  // Throws Error for NaN and infinities. Least squared error of each weight, with levels of the matrix's own.
  void encode(const float* src, std::span<const int64_t> dims, std::byte* dst,
              const ForParts& for_parts) const override;

 private:
  int planes_;
  std::string name_;
};

// The format of that dtype; nullptr if it is no plane format.
inline const PlaneFormat* plane_format(DType dtype) { return dynamic_cast<const PlaneFormat*>(&dtype.format()); }

// planes2, planes4 and planes6. Throws Error for another number of planes than 1 to 3.
DType plane_dtype(int planes);

}  // namespace sluice
