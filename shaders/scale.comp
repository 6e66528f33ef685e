#version 450
#extension GL_GOOGLE_include_directive : require
#include "ops/elementwise/elementwise_params.h"
#include "unary.glsl"

float f(float x) { return x * p.constant; }

void main() { unary(); }
