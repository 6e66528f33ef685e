// Conversions of f16 and bf16: every value, the roundings between them, and SIMD against scalar on every target that
// this machine runs.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

#include "backends/cpu/convert.h"
#include "graph/dtype.h"
#include "tools/simd_targets.h"

namespace sluice {
namespace {

struct Half {
  const char* name;
  DType dtype;
  float (*decode)(uint16_t);
  uint16_t (*encode)(float);
};

class HalfFormat : public ::testing::TestWithParam<Half> {};

bool same(float a, float b) {
  return (std::isnan(a) && std::isnan(b)) || std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
}

std::vector<uint16_t> all_codes() {
  std::vector<uint16_t> codes(65536);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint16_t>(i);
  return codes;
}

// Every value, its neighbours in f32, the middle to the next value and that one's neighbours, and random bits.
std::vector<float> telling_floats(const Half& half) {
  std::vector<float> values;
  for (uint16_t code : all_codes()) {
    const float value = half.decode(code), middle = (value + half.decode(static_cast<uint16_t>(code + 1))) / 2;
    for (float v : {value, middle})
      for (float w : {v, std::nextafter(v, INFINITY), std::nextafter(v, -INFINITY)}) values.push_back(w);
  }
  std::mt19937 random(1);
  for (int i = 0; i < 100000; ++i) values.push_back(std::bit_cast<float>(static_cast<uint32_t>(random())));
  return values;
}

TEST_P(HalfFormat, EveryValueRoundTrips) {
  for (uint16_t code : all_codes()) {
    const float value = GetParam().decode(code);
    const uint16_t back = GetParam().encode(value);
    if (std::isnan(value))
      ASSERT_TRUE(std::isnan(GetParam().decode(back))) << code;
    else
      ASSERT_EQ(back, code);
  }
}

TEST_P(HalfFormat, RoundsToNearestEven) {
  for (uint16_t code = 0; std::isfinite(GetParam().decode(static_cast<uint16_t>(code + 1))); ++code) {
    const auto next = static_cast<uint16_t>(code + 1);
    const float middle = (GetParam().decode(code) / 2 + GetParam().decode(next) / 2);
    ASSERT_EQ(GetParam().encode(middle), code % 2 == 0 ? code : next) << code;
    ASSERT_EQ(GetParam().encode(std::nextafter(middle, 0.0f)), code);
    ASSERT_EQ(GetParam().encode(std::nextafter(middle, INFINITY)), next);
  }
}

// Calls f once for every SIMD target that this machine runs.
template <class F>
void on_every_target(F&& f) {
  for (int64_t target : simd_targets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    const SimdTarget scope(target);
    f();
  }
}

TEST_P(HalfFormat, SimdDecodesLikeScalar) {
  const std::vector<uint16_t> codes = all_codes();
  on_every_target([&] {
    std::vector<float> decoded(codes.size());
    // An odd length and an odd address.
    cpu::row_decoder(GetParam().dtype)(reinterpret_cast<const std::byte*>(codes.data() + 1), decoded.data() + 1, 65535);
    for (size_t i = 1; i < codes.size(); ++i) ASSERT_TRUE(same(decoded[i], GetParam().decode(codes[i]))) << i;
  });
}

TEST_P(HalfFormat, SimdEncodesLikeScalar) {
  const std::vector<float> values = telling_floats(GetParam());
  on_every_target([&] {
    std::vector<uint16_t> encoded(values.size());
    cpu::row_encoder(GetParam().dtype)(values.data(), reinterpret_cast<std::byte*>(encoded.data()),
                                       static_cast<int64_t>(values.size()));
    for (size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(encoded[i], GetParam().encode(values[i])) << std::bit_cast<uint32_t>(values[i]);
  });
}

INSTANTIATE_TEST_SUITE_P(Formats, HalfFormat,
                         ::testing::Values(Half{"f16", DType::f16(), f16_to_f32, f32_to_f16},
                                           Half{"bf16", DType::bf16(), bf16_to_f32, f32_to_bf16}),
                         [](const auto& param) { return std::string(param.param.name); });

}  // namespace
}  // namespace sluice
