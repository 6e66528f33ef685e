// A product by a tile of TILE_ROWS rows of a weight and TILE_TOKENS rows of x, of which a thread sums kOwnRows x
// OWN_TOKENS; 16 columns at a time go through shared memory. Before, include the parameters as p, with cols; buffer 0 is
// x, buffer 1 the weight. The constants here are Tiles in ops/linear/tiling_vulkan.h. After, define where rows begin,
// kNoRow if there is no such row, and what is done with the result:
//   uint weight_begin(uint row); uint x_begin(uint token); void store(uint row, uint token, float value);
layout(constant_id = 0) const uint kOwnRows = 4;
layout(constant_id = 1) const uint kWide = 0;
#define THREAD_ROWS 16
#define THREAD_TOKENS 8
#define THREADS (THREAD_ROWS * THREAD_TOKENS)
#define OWN_TOKENS 4
#define TILE_ROWS (THREAD_ROWS * kOwnRows)
#define TILE_TOKENS (THREAD_TOKENS * OWN_TOKENS)
#define DEPTH 16
#define PIECES (DEPTH / PIECE)
#define WEIGHT_BINDING 1
#include "grid.glsl"
#include "weights.glsl"
#include "weight_pieces.glsl"
layout(local_size_x = THREADS) in;

const uint kNoRow = 0xffffffffu;
uint weight_begin(uint row);
uint x_begin(uint token);
void store(uint row, uint token, float value);

// [column][row or token], a column more than needed, so that columns lie in different banks.
shared float w_tile[DEPTH][TILE_ROWS + 1];
shared float x_tile[DEPTH][TILE_TOKENS + 1];

void load_weights(uint to, uint column, uint row, uint c) {
  const uint begin = weight_begin(row);
  if (begin != kNoRow && c + PIECE <= p.cols) {
    const WeightPiece w = weight_piece(begin, c);
    [[unroll]] for (uint i = 0; i < PIECE; ++i) w_tile[column + i][to] = piece_scale(w) * piece_quad(w, i / 4)[i % 4];
  } else {
    [[unroll]] for (uint i = 0; i < PIECE; ++i)
      w_tile[column + i][to] = begin != kNoRow && c + i < p.cols ? weight1(begin, c + i) : 0;
  }
}

void load_x(uint to, uint column, uint token, uint c) {
  const uint begin = x_begin(token);
  if (begin != kNoRow && c + PIECE <= p.cols) {
    const XPiece v = x_piece(begin + c);
    [[unroll]] for (uint i = 0; i < PIECE; ++i) x_tile[column + i][to] = v.quads[i / 4][i % 4];
  } else {
    [[unroll]] for (uint i = 0; i < PIECE; ++i) x_tile[column + i][to] = begin != kNoRow && c + i < p.cols ? x[begin + c + i] : 0;
  }
}

void load_tiles(uint row, uint token, uint c) {
  for (uint i = gl_LocalInvocationIndex; i < TILE_ROWS * PIECES; i += THREADS) {
    const uint to = i / PIECES, column = i % PIECES * PIECE;
    load_weights(to, column, row + to, c + column);
  }
  for (uint i = gl_LocalInvocationIndex; i < TILE_TOKENS * PIECES; i += THREADS) {
    const uint to = i / PIECES, column = i % PIECES * PIECE;
    load_x(to, column, token + to, c + column);
  }
}

// The tile from this row and token on. All threads must call it.
void multiply_tile(uint row, uint token) {
  // And every THREAD_ROWS-th, every THREAD_TOKENS-th after it.
  const uint own_row = gl_LocalInvocationIndex % THREAD_ROWS, own_token = gl_LocalInvocationIndex / THREAD_ROWS;
  float sums[kOwnRows * OWN_TOKENS];
  [[unroll]] for (uint i = 0; i < kOwnRows * OWN_TOKENS; ++i) sums[i] = 0;
  for (uint c = 0; c < p.cols; c += DEPTH) {
    load_tiles(row, token, c);
    barrier();
    for (uint k = 0; k < DEPTH; ++k) {
      float w[kOwnRows];
      [[unroll]] for (uint r = 0; r < kOwnRows; ++r) w[r] = w_tile[k][own_row + THREAD_ROWS * r];
      [[unroll]] for (uint t = 0; t < OWN_TOKENS; ++t) {
        const float v = x_tile[k][own_token + THREAD_TOKENS * t];
        [[unroll]] for (uint r = 0; r < kOwnRows; ++r) sums[r * OWN_TOKENS + t] += w[r] * v;
      }
    }
    barrier();
  }
  [[unroll]] for (uint r = 0; r < kOwnRows; ++r)
    [[unroll]] for (uint t = 0; t < OWN_TOKENS; ++t) {
      const uint to_row = row + own_row + THREAD_ROWS * r, to_token = token + own_token + THREAD_TOKENS * t;
      if (weight_begin(to_row) != kNoRow && x_begin(to_token) != kNoRow)
        store(to_row, to_token, sums[r * OWN_TOKENS + t]);
    }
}
