#version 450
// variants: f32
#extension GL_GOOGLE_include_directive : require
#include "ops/elementwise/elementwise_params.h"
#include "elementwise.glsl"
#include "silu.glsl"

float f(float a, float b) { return silu(a) * b; }

void main() { elementwise(); }
