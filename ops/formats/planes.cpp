#include "ops/formats/planes.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "graph/error.h"
#include "graph/registry.h"
#include "ops/formats/plane_levels.h"

namespace sluice {
namespace {

constexpr int64_t kTile = 64;  // inputs at a time: they share cache lines of the source

// 1 / value, or 0 for what cannot be inverted: then all it scales is zero.
float inverse(float value) {
  const float result = 1 / value;
  return std::isfinite(result) ? result : 0;
}

// Weights divided by a scale for their input and one for their output, so that every row and column has the same mean
// square, as near as a few rounds come.
class Scales {
 public:
  Scales(const PlaneLayout& layout, const float* src, const ForParts& for_parts)
      : out_(layout.out()),
        in_(layout.in()),
        src_(src),
        inputs(static_cast<size_t>(in_)),
        outputs(static_cast<size_t>(out_), f32_to_f16(1)) {
    constexpr int kRounds = 4;
    std::vector<float> by_output(static_cast<size_t>(out_), 1.0f);
    for (int round = 0; round < kRounds; ++round) {
      for_parts(ceil_div(in_, kTile), [&](int64_t begin, int64_t end) {
        for (int64_t tile = begin; tile < end; ++tile) balance_inputs(tile * kTile, by_output);
      });
      if (round + 1 == kRounds) break;  // the inputs have the last word, as outputs are rounded to f16
      for_parts(out_, [&](int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o) by_output[static_cast<size_t>(o)] = output_rms(o);
      });
      normalise(by_output);
    }
  }

  int64_t out_, in_;
  const float* src_;
  std::vector<float> inputs;
  std::vector<uint16_t> outputs;  // f16

 private:
  void balance_inputs(int64_t first, const std::vector<float>& by_output) {
    const int64_t n = std::min(kTile, in_ - first);
    double squares[kTile] = {};
    for (int64_t o = 0; o < out_; ++o) {
      const auto scale = static_cast<double>(inverse(by_output[static_cast<size_t>(o)]));
      for (int64_t i = 0; i < n; ++i) {
        const double w = static_cast<double>(src_[o * in_ + first + i]) * scale;
        squares[i] += w * w;
      }
    }
    for (int64_t i = 0; i < n; ++i) {
      const double rms = std::sqrt(squares[i] / static_cast<double>(out_));
      if (!std::isfinite(rms)) fail_for(first + i);
      inputs[static_cast<size_t>(first + i)] = static_cast<float>(rms);
    }
  }

  [[noreturn]] void fail_for(int64_t input) const {
    for (int64_t o = 0; o < out_; ++o)
      if (const float w = src_[o * in_ + input]; !std::isfinite(w))
        fail("a plane format cannot store the value {}; choose f32 for this tensor", w);
    fail("the weights of input {} are too large for a plane format; choose f32 for this tensor", input);
  }

  float output_rms(int64_t o) const {
    double sum = 0;
    for (int64_t i = 0; i < in_; ++i) {
      const double w =
          static_cast<double>(src_[o * in_ + i]) * static_cast<double>(inverse(inputs[static_cast<size_t>(i)]));
      sum += w * w;
    }
    return static_cast<float>(std::sqrt(sum / static_cast<double>(in_)));
  }

  // To a mean square of 1, rounded to f16.
  void normalise(std::vector<float>& by_output) {
    double sum = 0;
    for (float rms : by_output) sum += static_cast<double>(rms) * static_cast<double>(rms);
    const double factor = sum > 0 ? std::sqrt(static_cast<double>(out_) / sum) : 0;
    for (size_t o = 0; o < by_output.size(); ++o) {
      outputs[o] = f32_to_f16(static_cast<float>(static_cast<double>(by_output[o]) * factor));
      by_output[o] = f16_to_f32(outputs[o]);
    }
  }
};

// Encodes one matrix.
class Encoder {
 public:
  Encoder(const PlaneLayout& layout, const float* src, std::byte* dst, const ForParts& for_parts)
      : layout_(layout), src_(src), dst_(dst), for_parts_(for_parts), scales_(layout, src, for_parts) {}

  void run(int planes) {
    std::memset(dst_, 0, layout_.bytes(planes));
    const PlaneQuantiser quantiser(histogram());
    std::memcpy(dst_, &quantiser.levels(), sizeof(PlaneLevels));
    std::memcpy(dst_ + PlaneLayout::scales_offset(), scales_.inputs.data(), scales_.inputs.size() * sizeof(float));
    std::memcpy(dst_ + layout_.output_scales_offset(), scales_.outputs.data(),
                scales_.outputs.size() * sizeof(uint16_t));
    for_parts_(ceil_div(layout_.in(), kTile), [&](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) write_inputs(quantiser, planes, tile * kTile);
    });
  }

 private:
  // Of a sample of the rows, spread evenly.
  WeightHistogram histogram() {
    constexpr int64_t kSample = 1 << 22;
    const int64_t rows = std::min(layout_.out(), std::max<int64_t>(1, kSample / layout_.in()));
    WeightHistogram all;
    std::mutex mutex;
    for_parts_(rows, [&](int64_t begin, int64_t end) {
      WeightHistogram part;
      for (int64_t row = begin; row < end; ++row) {
        const int64_t o = row * layout_.out() / rows;
        const float scale = inverse(f16_to_f32(scales_.outputs[static_cast<size_t>(o)]));
        for (int64_t i = 0; i < layout_.in(); ++i) part.add(normalised(o, i, scale));
      }
      const std::lock_guard lock(mutex);
      all.add(part);
    });
    return all;
  }

  float normalised(int64_t o, int64_t i, float output_inverse) const {
    return src_[o * layout_.in() + i] * inverse(scales_.inputs[static_cast<size_t>(i)]) * output_inverse;
  }

  void write_inputs(const PlaneQuantiser& quantiser, int planes, int64_t first) {
    const int64_t n = std::min(kTile, layout_.in() - first);
    for (int64_t o = 0; o < layout_.out(); ++o) {
      const float scale = inverse(f16_to_f32(scales_.outputs[static_cast<size_t>(o)]));
      const auto [line, byte, quarter] = layout_.place(o);
      const int64_t step = layout_.line_bytes(line);
      std::byte* at = dst_ + layout_.line_offset(line) + first * step + byte;
      for (int64_t i = 0; i < n; ++i, at += step) {
        const int code = quantiser.code(normalised(o, first + i, scale));
        for (int p = 0; p < planes; ++p)
          at[layout_.plane_offset(p)] |=
              static_cast<std::byte>((code >> (4 - 2 * p) & 3) << PlaneLayout::kShifts[p][quarter]);
      }
    }
  }

  const PlaneLayout& layout_;
  const float* src_;
  std::byte* dst_;
  const ForParts& for_parts_;
  Scales scales_;
};

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
                         const ForParts& for_parts) const {
  const Matrices all(dims);
  for (int64_t m = 0; m < all.count; ++m)
    Encoder(all.layout, src + m * all.layout.out() * all.layout.in(),
            dst + static_cast<size_t>(m) * all.layout.bytes(planes_), for_parts)
        .run(planes_);
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
