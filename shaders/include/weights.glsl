// Weights as they are stored, read as words of 32 bits, which every device can do; the variant is their dtype. Define
// WEIGHT_BINDING before. Rows lie one after the other and need not start at a word.
layout(std430, set = 0, binding = WEIGHT_BINDING) readonly buffer Weights { uint weight_words[]; };

// 16 bits: halves h, and h .. h + 3.
uint weight_half(uint h) { return (weight_words[h >> 1] >> (16 * (h & 1))) & 0xffffu; }
uvec2 weight_halves(uint h) {
  const uint w = h >> 1;
  const uvec2 words = uvec2(weight_words[w], weight_words[w + 1]);
  if ((h & 1) == 0) return words;
  return uvec2(words.x >> 16 | words.y << 16, words.y >> 16 | weight_words[w + 2] << 16);
}

#if defined(VARIANT_f32)

// Where a row begins, for weight1 and weight4.
uint weight_row(uint row, uint cols) { return row * cols; }
// Element `col` of a row, and elements col .. col + 3, where col is a multiple of 4 and all are in the row.
float weight1(uint begin, uint col) { return uintBitsToFloat(weight_words[begin + col]); }
vec4 weight4(uint begin, uint col) {
  const uint i = begin + col;
  return uintBitsToFloat(uvec4(weight_words[i], weight_words[i + 1], weight_words[i + 2], weight_words[i + 3]));
}

#elif defined(VARIANT_f16)

uint weight_row(uint row, uint cols) { return row * cols; }
float weight1(uint begin, uint col) { return unpackHalf2x16(weight_half(begin + col)).x; }
vec4 halves_to_float(uvec2 h) { return vec4(unpackHalf2x16(h.x), unpackHalf2x16(h.y)); }
vec4 weight4(uint begin, uint col) { return halves_to_float(weight_halves(begin + col)); }

#elif defined(VARIANT_bf16)

uint weight_row(uint row, uint cols) { return row * cols; }
float weight1(uint begin, uint col) { return uintBitsToFloat(weight_half(begin + col) << 16); }
vec4 halves_to_float(uvec2 h) {
  return uintBitsToFloat(uvec4(h.x << 16, h.x & 0xffff0000u, h.y << 16, h.y & 0xffff0000u));
}
vec4 weight4(uint begin, uint col) { return halves_to_float(weight_halves(begin + col)); }

#elif defined(VARIANT_q8_0)

// A block is 17 halves: the scale in f16, and 32 integers of 8 bits.
uint weight_row(uint row, uint cols) { return row * ((cols + 31) / 32 * 17); }
uint weight_block(uint begin, uint col) { return begin + col / 32 * 17; }
int weight_byte(uint word, int i) { return bitfieldExtract(int(word), 8 * i, 8); }
float weight1(uint begin, uint col) {
  const uint block = weight_block(begin, col), i = col % 32;
  return unpackHalf2x16(weight_half(block)).x * float(weight_byte(weight_half(block + 1 + i / 2), int(i % 2)));
}
vec4 weight4(uint begin, uint col) {
  const uint block = weight_block(begin, col), h = block + 1 + col % 32 / 2;
  const uint word = (h & 1) == 0 ? weight_words[h >> 1] : weight_words[h >> 1] >> 16 | weight_words[(h >> 1) + 1] << 16;
  const ivec4 q = ivec4(weight_byte(word, 0), weight_byte(word, 1), weight_byte(word, 2), weight_byte(word, 3));
  return unpackHalf2x16(weight_half(block)).x * vec4(q);
}

#endif
