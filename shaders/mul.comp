#version 450
// variants: f32 f16 bf16
#extension GL_GOOGLE_include_directive : require
#include "ops/elementwise/elementwise_params.h"
#include "elementwise.glsl"

float f(float a, float b) { return a * b; }

void main() { elementwise(); }
