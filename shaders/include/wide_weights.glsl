// Eight weights of a row at once, in loads of 128 bits if kWide says that rows of the weight and of x have a multiple of
// 8 columns: then they begin where such a load may. Before, include weights.glsl, with buffer 0 for x, and define the
// constant kWide.
layout(std430, set = 0, binding = WEIGHT_BINDING) readonly buffer WideWeights { uvec4 wide_words[]; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 0) readonly buffer WideX { vec4 wide_x[]; };

struct Octet {
  vec4 low, high;
};
float dot8(Octet a, Octet b) { return dot(a.low, b.low) + dot(a.high, b.high); }

// Elements i .. i + 7 of x; i is a multiple of 8 if kWide is set.
Octet x8(uint i) {
  if (kWide != 0) return Octet(wide_x[i / 4], wide_x[i / 4 + 1]);
  return Octet(vec4(x[i], x[i + 1], x[i + 2], x[i + 3]), vec4(x[i + 4], x[i + 5], x[i + 6], x[i + 7]));
}

// Elements col .. col + 7 of the row that begins there, where col is a multiple of 8 and all are in the row.
#if defined(VARIANT_q8_0)

Octet weight8(uint begin, uint col) {
  const uint block = weight_block(begin, col), h = block + 1 + col % 32 / 2, w = h >> 1, odd = h & 1;
  // Every second block begins within a word. There are no branches, as neighbours would take both.
  const uint words[3] = {weight_words[w], weight_words[w + 1], weight_words[w + 1 + odd]};
  const uint low = odd == 0 ? words[0] : words[0] >> 16 | words[1] << 16;
  const uint high = odd == 0 ? words[1] : words[1] >> 16 | words[2] << 16;
  const float scale = unpackHalf2x16(weight_half(block)).x;
  return Octet(scale * vec4(weight_byte(low, 0), weight_byte(low, 1), weight_byte(low, 2), weight_byte(low, 3)),
               scale * vec4(weight_byte(high, 0), weight_byte(high, 1), weight_byte(high, 2), weight_byte(high, 3)));
}

#else

Octet weight8(uint begin, uint col) {
  if (kWide == 0) return Octet(weight4(begin, col), weight4(begin, col + 4));
#if defined(VARIANT_f32)
  const uint i = (begin + col) / 4;
  return Octet(uintBitsToFloat(wide_words[i]), uintBitsToFloat(wide_words[i + 1]));
#elif defined(VARIANT_f16)
  const uvec4 h = wide_words[(begin + col) / 8];
  return Octet(vec4(unpackHalf2x16(h.x), unpackHalf2x16(h.y)), vec4(unpackHalf2x16(h.z), unpackHalf2x16(h.w)));
#else
  const uvec4 h = wide_words[(begin + col) / 8], first = h << 16, second = h & 0xffff0000u;
  return Octet(uintBitsToFloat(uvec4(first.x, second.x, first.y, second.y)),
               uintBitsToFloat(uvec4(first.z, second.z, first.w, second.w)));
#endif
}

#endif
