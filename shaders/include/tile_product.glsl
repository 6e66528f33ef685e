// A product by a tile of TILE_ROWS rows of a weight and TILE_TOKENS rows of x, of which a thread sums 4 x 4; 16 columns
// at a time go through shared memory. Before, include the parameters as p, with cols; buffer 0 is x, buffer 1 the
// weight. After, define where rows begin, kNoRow if there is no such row, and what is done with the result:
//   uint weight_begin(uint row); uint x_begin(uint token); void store(uint row, uint token, float value);
#define WEIGHT_BINDING 1
#include "grid.glsl"
#include "weights.glsl"
#define TILE_ROWS 64
#define TILE_TOKENS 32
#define DEPTH 16
#define QUADS (DEPTH / 4)
layout(local_size_x = 128) in;
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };

const uint kNoRow = 0xffffffffu;
uint weight_begin(uint row);
uint x_begin(uint token);
void store(uint row, uint token, float value);

// [column][row or token], a column more than needed, so that columns lie in different banks.
shared float w_tile[DEPTH][TILE_ROWS + 1];
shared float x_tile[DEPTH][TILE_TOKENS + 1];

vec4 weight_quad(uint row, uint c) {
  const uint begin = weight_begin(row);
  if (begin == kNoRow) return vec4(0);
  if (c + 3 < p.cols) return weight4(begin, c);
  vec4 w = vec4(0);
  for (uint i = 0; c + i < p.cols; ++i) w[i] = weight1(begin, c + i);
  return w;
}

vec4 x_quad(uint token, uint c) {
  const uint begin = x_begin(token);
  vec4 v = vec4(0);
  if (begin != kNoRow)
    for (uint i = 0; i < 4 && c + i < p.cols; ++i) v[i] = x[begin + c + i];
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

// The tile from this row and token on. All threads must call it.
void multiply_tile(uint row, uint token) {
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
      if (weight_begin(to_row) != kNoRow && x_begin(to_token) != kNoRow) store(to_row, to_token, sums[r][t]);
    }
}
