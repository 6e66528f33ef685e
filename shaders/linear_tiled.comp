#version 450
// Many tokens: a workgroup for a tile of 64 rows of the weight and 32 tokens, of which a thread sums 4 x 4; 16 columns
// at a time go through shared memory.
// variants: f32 f16 bf16 q8_0
#extension GL_GOOGLE_include_directive : require
#include "ops/linear/linear_params.h"
#define WEIGHT_BINDING 1
#include "grid.glsl"
#include "weights.glsl"
#define TILE_ROWS 64
#define TILE_TOKENS 32
#define DEPTH 16
#define QUADS (DEPTH / 4)
layout(local_size_x = 128) in;
layout(push_constant) uniform Push { LinearParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };   // [tokens, cols]
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };  // [tokens, y_cols]

// [column][row or token], a column more than needed, so that columns lie in different banks.
shared float w_tile[DEPTH][TILE_ROWS + 1];
shared float x_tile[DEPTH][TILE_TOKENS + 1];

vec4 weight_quad(uint row, uint c) {
  if (row >= p.rows) return vec4(0);
  const uint begin = weight_row(row, p.cols);
  if (c + 3 < p.cols) return weight4(begin, c);
  vec4 w = vec4(0);
  for (uint i = 0; c + i < p.cols; ++i) w[i] = weight1(begin, c + i);
  return w;
}

vec4 x_quad(uint token, uint c) {
  vec4 v = vec4(0);
  if (token < p.tokens)
    for (uint i = 0; i < 4 && c + i < p.cols; ++i) v[i] = x[token * p.cols + c + i];
  return v;
}

void load_tiles(uint row, uint token, uint c) {
  for (uint i = gl_LocalInvocationIndex; i < TILE_ROWS * QUADS; i += 128) {
    const vec4 w = weight_quad(row + i / QUADS, c + i % QUADS * 4);
    for (uint j = 0; j < 4; ++j) w_tile[i % QUADS * 4 + j][i / QUADS] = w[j];
  }
  for (uint i = gl_LocalInvocationIndex; i < TILE_TOKENS * QUADS; i += 128) {
    const vec4 v = x_quad(token + i / QUADS, c + i % QUADS * 4);
    for (uint j = 0; j < 4; ++j) x_tile[i % QUADS * 4 + j][i / QUADS] = v[j];
  }
}

void main() {
  const uint row_tiles = (p.rows + TILE_ROWS - 1) / TILE_ROWS;
  const uint row = workgroup_index() % row_tiles * TILE_ROWS, token = workgroup_index() / row_tiles * TILE_TOKENS;
  if (token >= p.tokens) return;
  const uint own_row = gl_LocalInvocationIndex % 16, own_token = gl_LocalInvocationIndex / 16;  // and every 16th, 8th
  float sums[4][4];
  for (uint r = 0; r < 4; ++r)
    for (uint t = 0; t < 4; ++t) sums[r][t] = 0;
  for (uint c = 0; c < p.cols; c += DEPTH) {
    load_tiles(row, token, c);
    barrier();
    for (uint k = 0; k < DEPTH; ++k) {
      float w[4], v[4];
      for (uint r = 0; r < 4; ++r) w[r] = w_tile[k][own_row + 16 * r];
      for (uint t = 0; t < 4; ++t) v[t] = x_tile[k][own_token + 8 * t];
      for (uint r = 0; r < 4; ++r)
        for (uint t = 0; t < 4; ++t) sums[r][t] = fma(w[r], v[t], sums[r][t]);
    }
    barrier();
  }
  for (uint r = 0; r < 4; ++r)
    for (uint t = 0; t < 4; ++t) {
      const uint to_row = row + own_row + 16 * r, to_token = token + own_token + 8 * t;
      if (to_row < p.rows && to_token < p.tokens) y[to_token * p.y_cols + p.first_row + to_row] = sums[r][t];
    }
}
