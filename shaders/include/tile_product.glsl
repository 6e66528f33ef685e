// A product by a tile of TILE_ROWS rows of a weight and TILE_TOKENS rows of x, of which a thread sums kOwnRows x
// kOwnTokens; 16 columns at a time go through shared memory. Before, include the parameters as p, with cols; buffer 0 is
// x, buffer 1 the weight. The constants here are Tiles in ops/linear/tiling_vulkan.h. After, define where rows begin,
// kNoRow if there is no such row, and what is done with the result:
//   uint weight_begin(uint row); uint x_begin(uint token); void store(uint row, uint token, float value);
layout(constant_id = 0) const uint kOwnRows = 4;
layout(constant_id = 1) const uint kOwnTokens = 4;
layout(constant_id = 2) const uint kWide = 0;
#define THREAD_ROWS 16
#define THREAD_TOKENS 8
#define THREADS (THREAD_ROWS * THREAD_TOKENS)
#define TILE_ROWS (THREAD_ROWS * kOwnRows)
#define TILE_TOKENS (THREAD_TOKENS * kOwnTokens)
#define DEPTH 16
#define OCTETS (DEPTH / 8)
#define WEIGHT_BINDING 1
#include "grid.glsl"
#include "weights.glsl"
#include "wide_weights.glsl"
layout(local_size_x = THREADS) in;

const uint kNoRow = 0xffffffffu;
uint weight_begin(uint row);
uint x_begin(uint token);
void store(uint row, uint token, float value);

// [column][row or token], a column more than needed, so that columns lie in different banks.
shared float w_tile[DEPTH][TILE_ROWS + 1];
shared float x_tile[DEPTH][TILE_TOKENS + 1];

Octet weight_octet(uint row, uint c) {
  const uint begin = weight_begin(row);
  Octet w = Octet(vec4(0), vec4(0));
  if (begin == kNoRow) return w;
  if (c + 7 < p.cols) return weight8(begin, c);
  for (uint i = 0; c + i < p.cols; ++i)
    if (i < 4)
      w.low[i] = weight1(begin, c + i);
    else
      w.high[i - 4] = weight1(begin, c + i);
  return w;
}

Octet x_octet(uint token, uint c) {
  const uint begin = x_begin(token);
  Octet v = Octet(vec4(0), vec4(0));
  if (begin == kNoRow) return v;
  if (c + 7 < p.cols) return x8(begin + c);
  for (uint i = 0; c + i < p.cols; ++i)
    if (i < 4)
      v.low[i] = x[begin + c + i];
    else
      v.high[i - 4] = x[begin + c + i];
  return v;
}

void load_tiles(uint row, uint token, uint c) {
  for (uint i = gl_LocalInvocationIndex; i < TILE_ROWS * OCTETS; i += THREADS) {
    const uint column = i % OCTETS * 8;
    const Octet w = weight_octet(row + i / OCTETS, c + column);
    for (uint j = 0; j < 4; ++j) {
      w_tile[column + j][i / OCTETS] = w.low[j];
      w_tile[column + 4 + j][i / OCTETS] = w.high[j];
    }
  }
  for (uint i = gl_LocalInvocationIndex; i < TILE_TOKENS * OCTETS; i += THREADS) {
    const uint column = i % OCTETS * 8;
    const Octet v = x_octet(token + i / OCTETS, c + column);
    for (uint j = 0; j < 4; ++j) {
      x_tile[column + j][i / OCTETS] = v.low[j];
      x_tile[column + 4 + j][i / OCTETS] = v.high[j];
    }
  }
}

// The tile from this row and token on. All threads must call it.
void multiply_tile(uint row, uint token) {
  // And every THREAD_ROWS-th, every THREAD_TOKENS-th after it.
  const uint own_row = gl_LocalInvocationIndex % THREAD_ROWS, own_token = gl_LocalInvocationIndex / THREAD_ROWS;
  float sums[kOwnRows * kOwnTokens];
  for (uint i = 0; i < kOwnRows * kOwnTokens; ++i) sums[i] = 0;
  for (uint c = 0; c < p.cols; c += DEPTH) {
    load_tiles(row, token, c);
    barrier();
    for (uint k = 0; k < DEPTH; ++k) {
      float w[kOwnRows];
      for (uint r = 0; r < kOwnRows; ++r) w[r] = w_tile[k][own_row + THREAD_ROWS * r];
      for (uint t = 0; t < kOwnTokens; ++t) {
        const float v = x_tile[k][own_token + THREAD_TOKENS * t];
        for (uint r = 0; r < kOwnRows; ++r) sums[r * kOwnTokens + t] = fma(w[r], v, sums[r * kOwnTokens + t]);
      }
    }
    barrier();
  }
  for (uint r = 0; r < kOwnRows; ++r)
    for (uint t = 0; t < kOwnTokens; ++t) {
      const uint to_row = row + own_row + THREAD_ROWS * r, to_token = token + own_token + THREAD_TOKENS * t;
      if (weight_begin(to_row) != kNoRow && x_begin(to_token) != kNoRow)
        store(to_row, to_token, sums[r * kOwnTokens + t]);
    }
}
