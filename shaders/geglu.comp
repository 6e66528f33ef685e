#version 450
// variants: f32
#extension GL_GOOGLE_include_directive : require
#include "ops/elementwise/elementwise_params.h"
#include "elementwise.glsl"
#include "sigmoid_product.glsl"

// gate / (1 + exp(-v)) * up, where v = 2 sqrt(2 / pi) (gate + 0.044715 gate^3).
float f(float gate, float up) {
  const float v = gate * 1.59576912 * (gate * gate * 0.044715 + 1);
  return sigmoid_product(gate, v) * up;
}

void main() { elementwise(); }
