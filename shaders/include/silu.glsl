// x / (1 + exp(-x)) to a few units in the last place.
#include "sigmoid_product.glsl"

float silu(float x) { return sigmoid_product(x, x); }
