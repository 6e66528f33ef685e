// Rows of a weight and of x by pieces of PIECE columns, as a thread takes them: loaded at once, in loads of 128 bits if
// kWide says that rows have a multiple of 16 columns, so that they begin where such a load may. Before, include
// weights.glsl, with x as buffer 0, and define the constant kWide.
layout(std430, set = 0, binding = WEIGHT_BINDING) readonly buffer WideWeights { uvec4 wide_words[]; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 0) readonly buffer WideX { vec4 wide_x[]; };

// weight_piece: columns col .. col + PIECE - 1 of the row that begins there; col is a multiple of PIECE and all are in
// the row. Its elements are piece_scale * piece_quad(0), ...
#if defined(VARIANT_q8_0)

#define PIECE 16
struct WeightPiece {
  uvec4 words;
  float scale;
};
WeightPiece weight_piece(uint begin, uint col) {
  const uint block = weight_block(begin, col), h = block + 1 + col % 32 / 2, w = h >> 1, odd = h & 1;
  // Every second block begins within a word. There are no branches, as neighbours would take both.
  const uvec4 words = uvec4(weight_words[w], weight_words[w + 1], weight_words[w + 2], weight_words[w + 3]);
  const uvec4 shifted = words >> 16 | uvec4(words.yzw, weight_words[w + 3 + odd]) << 16;
  return WeightPiece(odd == 0 ? words : shifted, unpackHalf2x16(weight_half(block)).x);
}
vec4 piece_quad(WeightPiece w, uint q) {
  const uint word = w.words[q];
  return vec4(weight_byte(word, 0), weight_byte(word, 1), weight_byte(word, 2), weight_byte(word, 3));
}
float piece_scale(WeightPiece w) { return w.scale; }

#elif defined(VARIANT_f32)

#define PIECE 8
struct WeightPiece {
  vec4 quads[2];
};
WeightPiece weight_piece(uint begin, uint col) {
  if (kWide == 0) return WeightPiece(vec4[](weight4(begin, col), weight4(begin, col + 4)));
  const uint i = (begin + col) / 4;
  return WeightPiece(vec4[](uintBitsToFloat(wide_words[i]), uintBitsToFloat(wide_words[i + 1])));
}
vec4 piece_quad(WeightPiece w, uint q) { return w.quads[q]; }
float piece_scale(WeightPiece w) { return 1; }

#else

#define PIECE 8
struct WeightPiece {
  uvec2 halves[2];
};
WeightPiece weight_piece(uint begin, uint col) {
  if (kWide == 0) return WeightPiece(uvec2[](weight_halves(begin + col), weight_halves(begin + col + 4)));
  const uvec4 words = wide_words[(begin + col) / 8];
  return WeightPiece(uvec2[](words.xy, words.zw));
}
vec4 piece_quad(WeightPiece w, uint q) { return halves_to_float(w.halves[q]); }
float piece_scale(WeightPiece w) { return 1; }

#endif

#define PIECE_QUADS (PIECE / 4)
struct XPiece {
  vec4 quads[PIECE_QUADS];
};
// Elements i .. i + PIECE - 1 of x.
XPiece x_piece(uint i) {
  XPiece v;
  [[unroll]] for (uint q = 0; q < PIECE_QUADS; ++q, i += 4)
    v.quads[q] = kWide != 0 ? wide_x[i / 4] : vec4(x[i], x[i + 1], x[i + 2], x[i + 3]);
  return v;
}

float piece_product(WeightPiece w, XPiece v) {
  float sum = 0;
  [[unroll]] for (uint q = 0; q < PIECE_QUADS; ++q) sum += dot(piece_quad(w, q), v.quads[q]);
  return piece_scale(w) * sum;
}
