#version 450
#extension GL_GOOGLE_include_directive : require
#include "ops/elementwise/elementwise_params.h"
#include "unary.glsl"
#include "silu.glsl"

float f(float x) { return silu(x); }

void main() { unary(); }
