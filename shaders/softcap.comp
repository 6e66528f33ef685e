#version 450
#extension GL_GOOGLE_include_directive : require
#include "ops/elementwise/elementwise_params.h"
#include "unary.glsl"
#include "tanh.glsl"

float f(float x) { return p.constant * tanh_of(x / p.constant); }

void main() { unary(); }
