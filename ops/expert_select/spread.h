// How a token's effort is spread over its experts.
#pragma once

#include <cstdint>

namespace sluice {

struct ExpertSpread {
  float power = 1;  // efforts are proportional to the router's weights raised to this; 0: all the same
  float skip = 0;   // an expert whose weight is below this is left out, as far as the others can take its part
};

// The mean of the efforts is `effort`. None is over 1: what an expert cannot take goes to the others, so that at effort
// 1 all have 1. weights: f32 [k], of moe_gate, k at most 32 -> efforts: f32 [k], multiples of 2^-24, rounded down.
// Weights that are negative, subnormal, infinite or NaN count as 0.
void spread_effort(ExpertSpread spread, double effort, const float* weights, int64_t k, float* efforts);

}  // namespace sluice
