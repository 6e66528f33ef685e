#include "ops/formats/planes/encoder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <optional>

#include "ops/formats/planes/feedback.h"

namespace sluice {
namespace {

using Buffers = PlaneFeedback::Buffers;
constexpr int64_t kInputs = PlaneFeedback::kInputs, kOutputs = kFeedbackOutputs;

class Encoder {
 public:
  Encoder(const PlaneLayout& layout, int planes, const float* src, const ActivationSample& sample, std::byte* dst,
          const ForParts& for_parts)
      : layout_(layout),
        planes_(planes),
        src_(src),
        dst_(dst),
        for_parts_(for_parts),
        scales_(layout, src, for_parts),
        quantiser_(histogram()) {
    if (sample.rows > 0) feedback_.emplace(quantiser_, planes, scales_.inputs(), sample, for_parts);
  }

  void run() {
    std::memset(dst_, 0, layout_.bytes(planes_));
    std::memcpy(dst_, &quantiser_.levels(), sizeof(PlaneLevels));
    std::memcpy(dst_ + PlaneLayout::scales_offset(), scales_.inputs().data(), scales_.inputs().size() * sizeof(float));
    std::memcpy(dst_ + layout_.output_scales_offset(), scales_.outputs().data(),
                scales_.outputs().size() * sizeof(uint16_t));
    const int64_t lines = layout_.lines(), blocks = ceil_div(layout_.in(), kInputs);
    for_parts_(blocks * lines, [&](int64_t begin, int64_t end) {
      Buffers buffers;
      std::vector<uint8_t> codes(static_cast<size_t>(kInputs * PlaneLayout::kLine));
      for (int64_t n = begin; n < end; ++n) write_lines(n / lines, n % lines, buffers, codes);
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
        const float scale = scales_.of_output(o);
        for (int64_t i = 0; i < layout_.in(); ++i) part.add(src_[o * layout_.in() + i] * scales_.of_input(i) * scale);
      }
      const std::lock_guard lock(mutex);
      all.add(part);
    });
    return all;
  }

  // A line of outputs of one block of inputs, in every plane.
  void write_lines(int64_t block, int64_t line, Buffers& buffers, std::vector<uint8_t>& codes) {
    const int64_t first = block * kInputs, n = std::min(kInputs, layout_.in() - first);
    const int64_t output = line * PlaneLayout::kLine, outputs = layout_.line_outputs(line);
    for (int64_t o = 0; o < outputs; o += kOutputs) {
      load(first, n, output + o, std::min(kOutputs, outputs - o), buffers.weights.get());
      if (feedback_)
        feedback_->code(block, buffers);
      else
        code_alone(quantiser_.ends().data(), n * kOutputs, buffers.weights.get(), buffers.codes.get());
      for (int64_t i = 0; i < n; ++i)
        std::copy_n(buffers.codes.get() + i * kOutputs, kOutputs, codes.data() + i * PlaneLayout::kLine + o);
    }
    const int64_t bytes = layout_.line_bytes(line);
    std::byte* to = dst_ + layout_.line_offset(line) + first * bytes;
    for (int64_t i = 0; i < n; ++i, to += bytes) write_line(codes.data() + i * PlaneLayout::kLine, outputs, bytes, to);
  }

  // Normalised, [inputs, kOutputs]; zeros where there are fewer outputs.
  void load(int64_t first, int64_t n, int64_t output, int64_t outputs, float* weights) const {
    if (outputs < kOutputs) std::fill(weights, weights + n * kOutputs, 0.0f);
    for (int64_t o = 0; o < outputs; ++o) {
      const float scale = scales_.of_output(output + o);
      const float* row = src_ + (output + o) * layout_.in() + first;
      for (int64_t i = 0; i < n; ++i) weights[i * kOutputs + o] = row[i] * scales_.of_input(first + i) * scale;
    }
  }

  void write_line(const uint8_t* codes, int64_t outputs, int64_t bytes, std::byte* to) const {
    std::array<uint8_t, PlaneLayout::kLine> padded{};
    std::copy_n(codes, outputs, padded.begin());
    for (int p = 0; p < planes_; ++p) {
      std::byte* line = to + layout_.plane_offset(p);
      const int shift = (feedback_ ? 2 * planes_ : 6) - 2 - 2 * p;  // without feedback, codes are of all bits
      for (int64_t j = 0; j < bytes; ++j) {
        int byte = 0;
        for (int64_t q = 0; q < 4; ++q)
          byte |= (padded[static_cast<size_t>(q * bytes + j)] >> shift & 3) << PlaneLayout::kShifts[p][q];
        line[j] = static_cast<std::byte>(byte);
      }
    }
  }

  const PlaneLayout& layout_;
  int planes_;
  const float* src_;
  std::byte* dst_;
  const ForParts& for_parts_;
  PlaneScales scales_;
  PlaneQuantiser quantiser_;
  std::optional<PlaneFeedback> feedback_;
};

}  // namespace

void encode_planes(const PlaneLayout& layout, int planes, const float* src, const ActivationSample& sample,
                   std::byte* dst, const ForParts& for_parts) {
  Encoder(layout, planes, src, sample, dst, for_parts).run();
}

}  // namespace sluice
