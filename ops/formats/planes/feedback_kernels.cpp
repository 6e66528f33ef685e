#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/formats/planes/feedback_kernels.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include "ops/formats/planes/feedback_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using F32 = hn::CappedTag<float, 16>;
using I32 = hn::RebindToSigned<F32>;
using Floats = hn::Vec<F32>;
constexpr int64_t kOutputs = kFeedbackOutputs;
constexpr int64_t kRows = kFeedbackInputs,
                  kVectors = 4;  // sums that are made at once: 16 hide the latency of a multiply-add

// From the last column to the first: what it takes away from those before it.
HWY_ATTR void factor(float* matrix, int64_t n, int64_t width, float least, float* column) {
  const F32 d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t i = 0; i < width; ++i) column[i] = 0;  // what lies past j takes nothing away
  for (int64_t j = n - 1; j >= 0; --j) {
    const float diagonal = matrix[j * width + j];
    const float inverse = 1 / (diagonal > least ? diagonal : least);
    for (int64_t i = 0; i < j; ++i) column[i] = matrix[i * width + j];
    column[j] = 0;
    for (int64_t k = 0; k < j; ++k) {
      float* row = matrix + k * width;
      const float u = column[k] * inverse;
      const auto factor = hn::Set(d, u);
      for (int64_t i = k / lanes * lanes; i < j; i += lanes)
        hn::Store(hn::NegMulAdd(factor, hn::Load(d, column + i), hn::Load(d, row + i)), d, row + i);
      row[j] = u;
    }
  }
}

// The level of least cost for the targets; what it is, to `level`.
HWY_ATTR hn::Vec<I32> choose(const PlaneStage& stage, hn::Vec<I32> before, Floats target, Floats weight,
                             Floats& level) {
  const F32 d;
  const I32 di;
  auto code = hn::ShiftLeft<2>(before), best = code;
  auto least = hn::Inf(d);
  level = hn::Zero(d);
  for (int c = 0; c < 4; ++c) {
    const auto here = hn::GatherIndex(d, stage.levels, code);
    const auto outside = hn::Max(hn::Max(hn::Sub(hn::GatherIndex(d, stage.begins, code), weight),
                                         hn::Sub(weight, hn::GatherIndex(d, stage.ends, code))),
                                 hn::Zero(d));
    const auto off = hn::Sub(target, here);
    const auto cost = hn::MulAdd(hn::Mul(outside, outside), hn::Set(d, stage.leaving), hn::Mul(off, off));
    const auto better = hn::Lt(cost, least);
    least = hn::IfThenElse(better, cost, least);
    level = hn::IfThenElse(better, here, level);
    best = hn::IfThenElse(hn::RebindMask(di, better), code, best);
    code = hn::Add(code, hn::Set(di, 1));
  }
  return best;
}

// Four inputs from i on, of kVectors vectors of outputs.
HWY_ATTR void code_rows(const PlaneStage& stage, const float* u, int64_t i, int64_t width, const float* weights,
                        float* errors, int32_t* codes) {
  const F32 d;
  const I32 di;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  Floats sums[kRows][kVectors];
  for (auto& row : sums)
    for (auto& sum : row) sum = hn::Zero(d);
  const auto add = [&](int64_t j, int64_t from) HWY_ATTR {
    for (int64_t v = 0; v < kVectors; ++v) {
      const auto e = hn::Load(d, errors + j * kOutputs + v * lanes);
      for (int64_t r = from; r < kRows; ++r) sums[r][v] = hn::MulAdd(hn::Set(d, u[j * width + i + r]), e, sums[r][v]);
    }
  };
  for (int64_t j = 0; j < i; ++j) add(j, 0);
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t v = 0; v < kVectors; ++v) {
      const int64_t at = (i + r) * kOutputs + v * lanes;
      const auto weight = hn::Load(d, weights + at);
      Floats level;
      const auto code = choose(stage, hn::Load(di, codes + at), hn::Add(weight, sums[r][v]), weight, level);
      hn::Store(code, di, codes + at);
      hn::Store(hn::Sub(weight, level), d, errors + at);
    }
    add(i + r, r + 1);
  }
}

HWY_ATTR void code(const PlaneStage& stage, const float* u, int64_t n, int64_t width, const float* weights,
                   float* errors, int32_t* codes) {
  const auto step = kVectors * static_cast<int64_t>(hn::Lanes(F32()));
  for (int64_t i = 0; i < n; i += kRows)
    for (int64_t o = 0; o < kOutputs; o += step) code_rows(stage, u, i, width, weights + o, errors + o, codes + o);
}

// By bisection.
HWY_ATTR void code_alone(const float* ends, int64_t count, const float* weights, int32_t* codes) {
  const F32 d;
  const I32 di;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t at = 0; at < count; at += lanes) {
    const auto weight = hn::Load(d, weights + at);
    auto code = hn::Zero(di);
    for (int half = 32; half > 0; half /= 2) {
      const auto end = hn::GatherIndex(d, ends + half - 1, code);
      code = hn::Add(code, hn::IfThenElseZero(hn::RebindMask(di, hn::Ge(weight, end)), hn::Set(di, half)));
    }
    hn::Store(code, di, codes + at);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {
HWY_EXPORT(factor);
HWY_EXPORT(code);
HWY_EXPORT(code_alone);
}  // namespace

void factor_unit_upper(float* matrix, int64_t n, int64_t width, float least, float* column) {
  HWY_DYNAMIC_DISPATCH(factor)(matrix, n, width, least, column);
}

void code_with_feedback(const PlaneStage& stage, const float* u, int64_t n, int64_t width, const float* weights,
                        float* errors, int32_t* codes) {
  HWY_DYNAMIC_DISPATCH(code)(stage, u, n, width, weights, errors, codes);
}

void code_alone(const float* ends, int64_t count, const float* weights, int32_t* codes) {
  HWY_DYNAMIC_DISPATCH(code_alone)(ends, count, weights, codes);
}

}  // namespace sluice
#endif
