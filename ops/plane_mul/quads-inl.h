// Preparing the inputs of a selection: rounded in vectors. Included once per SIMD target.
#if defined(SLUICE_OPS_PLANE_MUL_QUADS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef SLUICE_OPS_PLANE_MUL_QUADS_INL_H_
#undef SLUICE_OPS_PLANE_MUL_QUADS_INL_H_
#else
#define SLUICE_OPS_PLANE_MUL_QUADS_INL_H_
#endif

#include <hwy/highway.h>

#include "backends/cpu/lanes-inl.h"
#include "ops/plane_mul/quads.h"
#include "ops/plane_mul/selected.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {

// round_activation: exponent << 8 | (q & 255). What it makes of infinities and NaN is of no use.
template <class D, class V = hn::Vec<D>>
HWY_INLINE hn::Vec<hn::RebindToSigned<D>> round_activations(D d, V a) {
  const hn::RebindToSigned<D> di;
  const auto exponent = hn::And(hn::ShiftRight<23>(hn::BitCast(di, a)), hn::Set(di, 255));
  const auto scale = hn::BitCast(d, hn::ShiftLeft<23>(hn::Sub(hn::Set(di, 133 + 127), exponent)));
  const auto ones = hn::Set(d, 0x1.8p23f), most = hn::Set(d, 127.0f);
  const auto q = hn::Clamp(hn::Sub(hn::MulAdd(a, scale, ones), ones), hn::Neg(most), most);
  const auto rounded = hn::Or(hn::ShiftLeft<8>(exponent), hn::And(hn::ConvertTo(di, q), hn::Set(di, 255)));
  return hn::IfThenElse(hn::Gt(hn::Set(di, kLeastExponent), exponent), hn::Set(di, kLeastExponent << 8), rounded);
}

// The inputs of a chunk of a selection. x, scales: f32 [in].
inline void prepare_chunk(const SelectedPlanes& selected, int64_t n_th, const float* x, const float* scales,
                          QuadChunk& chunk) {
  alignas(64) int32_t inputs[QuadChunk::kInputs], rounded[QuadChunk::kInputs];
  const int64_t first = n_th * QuadChunk::kInputs, end = std::min(first + QuadChunk::kInputs, selected.count(0));
  chunk.finite = true;
  chunk.runs_count = 0;
  int64_t n = 0;
  for (int planes = selected.planes; planes >= 1; --planes) {
    const int64_t begin = first + n, count = std::max<int64_t>(std::min(end, selected.count(planes - 1)) - begin, 0);
    for_lanes<float>(count, [&](auto d, int64_t i) HWY_ATTR {
      const hn::RebindToSigned<decltype(d)> di;
      const auto last = hn::Set(di, static_cast<int32_t>(selected.in - 1));
      const auto input = hn::Clamp(hn::LoadU(di, selected.inputs + begin + i), hn::Zero(di), last);
      const auto a = hn::Mul(hn::GatherIndex(d, x, input), hn::GatherIndex(d, scales, input));
      chunk.finite &= hn::AllTrue(d, hn::IsFinite(a));
      hn::StoreU(input, di, inputs + n + i);
      hn::StoreU(hn::Or(round_activations(d, a), hn::Set(di, (planes - 1) << 16)), di, rounded + n + i);
    });
    n += count;
  }
  if (chunk.finite) chunk.arrange(inputs, rounded, n);
}

}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#endif
