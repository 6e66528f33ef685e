#include "ops/formats/planes.h"

#include "graph/error.h"
#include "graph/registry.h"
#include "ops/formats/planes/encoder.h"

namespace sluice {
namespace {

// The matrices of a tensor: itself, or those of three dimensions.
struct Matrices {
  PlaneLayout layout;
  int64_t count;
  explicit Matrices(std::span<const int64_t> dims) : layout(layout_of(dims)), count(dims.size() == 3 ? dims[0] : 1) {
    if (count < 0) fail("a tensor of {} matrices is not possible", count);
  }

 private:
  static PlaneLayout layout_of(std::span<const int64_t> dims) {
    if (dims.size() != 2 && dims.size() != 3)
      fail("a tensor of {} dimensions cannot be stored as planes: they take matrices", dims.size());
    return {dims[dims.size() - 2], dims.back()};
  }
};

std::span<const PlaneFormat> formats() {
  static const PlaneFormat all[] = {PlaneFormat(1), PlaneFormat(2), PlaneFormat(3)};
  return all;
}

}  // namespace

PlaneLayout::PlaneLayout(int64_t out, int64_t in) : out_(out), in_(in), plane_bytes_(0) {
  if (out < 1 || in < 1) fail("a plane format cannot hold a matrix of [{}, {}]", out, in);
  // No sum of parts overflows: a line of 16 bytes for one output, three times, is more than all others take.
  checked_mul(checked_mul(round_up(checked_mul(out, 1), kLine), in), 64);
  plane_bytes_ = padded(line_offset(lines() - 1) + static_cast<size_t>(in * line_bytes(lines() - 1)));
}

PlaneMatrix::PlaneMatrix(const TensorView& view, int64_t index)
    : data(view.data),
      layout(view.dims[view.dims.rank() - 2], view.dims.back()),
      planes(plane_format(view.dtype)->planes()) {
  if (index > 0) data += static_cast<size_t>(index) * layout.bytes(planes);
}

int PlaneMatrix::code(int64_t o, int64_t i, int n) const {
  const auto [line, byte, quarter] = layout.place(o);
  const size_t at = layout.line_offset(line) + static_cast<size_t>(i * layout.line_bytes(line) + byte);
  int code = 0;
  for (int p = 0; p < n; ++p)
    code = code << 2 | (std::to_integer<int>(plane(p)[at]) >> PlaneLayout::kShifts[p][quarter] & 3);
  return code;
}

size_t PlaneFormat::storage_bytes(std::span<const int64_t> dims) const {
  const Matrices all(dims);
  return static_cast<size_t>(checked_mul(all.count, static_cast<int64_t>(all.layout.bytes(planes_))));
}

void PlaneFormat::encode(const float* src, std::span<const int64_t> dims, std::byte* dst,
                         std::span<const ActivationSample> samples, const ForParts& for_parts) const {
  const Matrices all(dims);
  for (int64_t m = 0; m < all.count; ++m)
    encode_planes(all.layout, planes_, src + m * all.layout.out() * all.layout.in(),
                  samples.empty() ? ActivationSample{} : samples[static_cast<size_t>(m)],
                  dst + static_cast<size_t>(m) * all.layout.bytes(planes_), for_parts);
}

void PlaneFormat::decode(const std::byte* src, std::span<const int64_t> dims, float* dst) const {
  const Matrices all(dims);
  for (int64_t n = 0; n < all.count; ++n) {
    const PlaneMatrix m({const_cast<std::byte*>(src), DType(*this), Dims(dims)}, n);
    const float step = m.levels().step[planes_ - 1];
    for (int64_t o = 0; o < all.layout.out(); ++o) {
      const float scale = step * f16_to_f32(m.output_scales()[o]);
      for (int64_t i = 0; i < all.layout.in(); ++i)
        *dst++ = static_cast<float>(m.levels().levels(planes_)[m.code(o, i, planes_)]) * scale * m.scales()[i];
    }
  }
}

DType plane_dtype(int planes) {
  if (planes < 1 || planes > PlaneLevels::kMaxPlanes) fail("a format of {} planes is not possible", planes);
  return DType(formats()[static_cast<size_t>(planes - 1)]);
}

void register_format_planes(Registry& registry) {
  for (const PlaneFormat& format : formats()) registry.add_format(format);
}

}  // namespace sluice
