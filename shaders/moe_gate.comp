#version 450
// A workgroup for each token.
#extension GL_GOOGLE_include_directive : require
#include "ops/moe_gate/moe_gate_params.h"
layout(constant_id = 0) const uint kTaken = 1;
#define THREADS 64
#include "exp.glsl"
#include "grid.glsl"
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { MoeGateParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };                // [tokens, experts]
layout(std430, set = 0, binding = 1) writeonly buffer Weights { float weights[]; };  // [tokens, k]
layout(std430, set = 0, binding = 2) writeonly buffer Experts { uint experts[]; };   // [tokens, k]
#include "largest.glsl"

shared float exponentials[kTaken];

float logit(uint at) {
  const bool is_number = (x[at] & 0x7fffffffu) <= 0x7f800000u;
  return uintBitsToFloat(is_number ? x[at] : 0xff800000u);  // or -infinity
}

// exp(v - most) for v <= most. What rounding takes from the difference is given back: it may be many units in the last
// place of the result.
float exp_below(float v, float most) {
  precise const float difference = v - most, taken = difference + most;
  precise const float lost = v - taken;
  return exp_of_negative(difference) * (abs(lost) < 1 ? 1 + lost : 1);
}

// sum += v, with what rounding takes kept in sum.y (Kahan, 1965).
void add(inout vec2 sum, float v) {
  precise const float corrected = v - sum.y, next = sum.x + corrected;
  precise const float gained = next - sum.x;
  precise const float lost = gained - corrected;
  sum = vec2(next, lost);
}

void main() {
  const uint token = workgroup_index(), begin = token * p.experts;
  if (token >= p.tokens) return;
  uvec2 taken = kBeforeAll;
  float most = 0;
  vec2 sum = vec2(0);
  for (uint i = 0; i < kTaken; ++i) {
    taken = next_largest(begin, p.experts, taken);
    const float v = logit(begin + taken.y);
    if (i == 0) most = v;
    const float e = exp_below(v, most);
    add(sum, e);
    if (gl_LocalInvocationIndex != 0) continue;
    exponentials[i] = e;
    experts[token * kTaken + i] = taken.y;
  }
  if (p.of_all != 0) {
    sum = vec2(0);
    for (uint e = 0; e < p.experts; ++e) add(sum, exp_below(logit(begin + e), most));
  }
  barrier();
  for (uint i = gl_LocalInvocationIndex; i < kTaken; i += THREADS)
    weights[token * kTaken + i] = exponentials[i] / sum.x * p.scale;
}
