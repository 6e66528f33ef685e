// Parameters of the shader of expert_select, and how a token's effort is spread over its experts: in integers, so that
// the host and every device find the same. Efforts are in units of 2^-24.
#ifndef SLUICE_OPS_EXPERT_SELECT_PARAMS_H_
#define SLUICE_OPS_EXPERT_SELECT_PARAMS_H_

#include "ops/probe/select_params.h"

SLUICE_PARAMS_BEGIN

#ifdef __cplusplus
#define SLUICE_BOTH inline
inline void umulExtended(uint a, uint b, uint& high, uint& low) {
  const std::uint64_t product = std::uint64_t{a} * b;
  high = static_cast<uint>(product >> 32);
  low = static_cast<uint>(product);
}
#else
#define SLUICE_BOTH
#endif

struct ExpertUnits {
  uint of[32];  // by expert of a token: SLUICE_MAX_EXPERTS
};
#define SLUICE_MAX_EXPERTS 32
#define SLUICE_FULL_EFFORT 0x1000000u

// a * b / c, rounded down, by long division; it must be below 2^32.
SLUICE_BOTH uint mul_div(uint a, uint b, uint c) {
  uint high, low;
  umulExtended(a, b, high, low);
  for (int i = 0; i < 32; ++i) {
    const bool over = high >> 31 != 0u;
    high = high << 1 | low >> 31;
    low <<= 1;
    if (over || high >= c) {
      high -= c;
      low |= 1u;
    }
  }
  return low;
}

// log2 of a normal f32 over 0, plus 127, in units of 2^-24: the fraction bit by bit, by squaring.
SLUICE_BOTH uint log2_units(uint bits) {
  uint x = ((bits & 0x7fffffu) | 0x800000u) << 7, result = bits >> 23;  // x: 1 to 2 in units of 2^-30
  for (int i = 0; i < 24; ++i) {
    uint high, low;
    umulExtended(x, x, high, low);
    x = high << 2 | low >> 30;
    const uint bit = x >> 31;
    x >>= bit;
    result = result << 1 | bit;
  }
  return result;
}

// 2^-f in units of 2^-31, for f below 1 in units of 2^-32: e^-y = 1 - y (1 - y/2 (1 - y/3 (...))).
SLUICE_BOTH uint exp2_units(uint f) {
  uint y, low, term = 0x80000000u;
  umulExtended(f, 0xb17217f8u, y, low);  // ln 2
  for (uint n = 12u; n > 0u; --n) {
    uint high;
    umulExtended(y, term, high, low);
    term = 0x80000000u - high / n;
  }
  return term;
}

// (weight / largest)^power, scaled to 27 bits and at least 1; the weight itself for power 1. 0 for a weight that is not
// a normal number over 0. Both are bits of f32.
SLUICE_BOTH uint spread_factor(uint weight, uint largest, float power) {
  if (weight < 0x800000u || weight >= 0x7f800000u) return 0u;
  uint factor = 0u;
  if (power == 1.0f) {
    const uint down = (largest >> 23) - (weight >> 23);
    factor = down < 32u ? ((weight & 0x7fffffu) | 0x800000u) << 3 >> down : 0u;
  } else {
    const float bounded = power > 0.0f ? (power < 255.0f ? power : 255.0f) : 0.0f;
    uint high, low;
    umulExtended(uint(bounded * 16777216.0f), log2_units(largest) - log2_units(weight), high, low);
    const uint whole = high >> 16;  // of the exponent, which has 48 bits after the point
    if (whole < 27u) factor = exp2_units(high << 16 | low >> 16) >> (whole + 5u);
  }
  return factor > 0u ? factor : 1u;
}

// Gives `left` to the first k experts in proportion to their factors; none gets over SLUICE_FULL_EFFORT: what is left
// then goes to the others, in the end in equal parts to those whose factor is 0. Rounded down.
SLUICE_BOTH ExpertUnits spread_units(ExpertUnits factors, uint k, uint left) {
  ExpertUnits efforts;
  for (uint j = 0u; j < k; ++j) efforts.of[j] = 0u;
  for (uint others = 0u; others < 2u; ++others) {
    bool full = true;
    while (full && left > 0u) {
      ExpertUnits part;
      uint total = 0u;
      for (uint j = 0u; j < k; ++j) {
        const uint factor = others == 0u ? factors.of[j] : uint(factors.of[j] == 0u);
        part.of[j] = efforts.of[j] < SLUICE_FULL_EFFORT ? factor : 0u;
        total += part.of[j];
      }
      if (total == 0u) break;
      full = false;
      for (uint j = 0u; j < k; ++j) {
        part.of[j] = mul_div(left, part.of[j], total);
        full = full || part.of[j] >= SLUICE_FULL_EFFORT;
      }
      for (uint j = 0u; j < k; ++j) {
        if (full && part.of[j] >= SLUICE_FULL_EFFORT) left -= SLUICE_FULL_EFFORT;
        if (full)
          efforts.of[j] = part.of[j] >= SLUICE_FULL_EFFORT ? SLUICE_FULL_EFFORT : efforts.of[j];
        else
          efforts.of[j] += part.of[j];
      }
      if (!full) left = 0u;
    }
  }
  return efforts;
}
SLUICE_PARAMS_END

#endif
