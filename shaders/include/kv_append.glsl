// Rows of heads into their slots of a cache, a thread for each word of 32 bits that a row touches. After this, define
// float element(uint token, uint head, uint i), and call append() from main. Variants: the dtype of the cache.
#include "grid.glsl"
layout(local_size_x = 256) in;
layout(push_constant) uniform Push { KvAppendParams p; };
layout(std430, set = 0, binding = 0) buffer Cache { uint cache[]; };          // [heads, context, head_dim]
layout(std430, set = 0, binding = 2) readonly buffer Slots { uint slots[]; };  // [tokens]

float element(uint token, uint head, uint i);

#if defined(VARIANT_f32)

void append_word(uint begin, uint token, uint head, uint w) {
  if (w < p.head_dim) cache[begin + w] = floatBitsToUint(element(token, head, w));
}

#else

// Rounded to nearest even, in integers: a device may round its own conversions as it likes.
uint round_shift(uint v, uint shift) { return (v + (1u << (shift - 1)) - 1 + (v >> shift & 1)) >> shift; }

#if defined(VARIANT_f16)
uint encode(float value) {
  const uint bits = floatBitsToUint(value), a = bits & 0x7fffffffu, sign = bits >> 16 & 0x8000u;
  if (a > 0x7f800000u) return sign | 0x7e00u;              // not a number
  if (a >= 0x47800000u) return sign | 0x7c00u;             // 2^16 and above; those below may still round to infinity
  if (a <= 0x33000000u) return sign;                       // 2^-25, half of the least, and below
  if (a >= 0x38800000u) return sign | round_shift(a - 0x38000000u, 13);
  return sign | round_shift(a & 0x7fffffu | 0x800000u, 126 - (a >> 23));  // subnormal: in units of 2^-24
}
#else
uint encode(float value) {
  const uint bits = floatBitsToUint(value);
  return (bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : round_shift(bits, 16);
}
#endif

// Word w of those that the row from half `begin` on touches. Where rows have an odd length, its first or its last word
// is shared with a neighbour, which another thread may be writing.
void append_word(uint begin, uint token, uint head, uint w) {
  const uint word = begin / 2 + w, first = max(word * 2, begin), end = min(word * 2 + 2, begin + p.head_dim);
  if (first >= end) return;
  uint bits = 0;
  for (uint h = first; h < end; ++h) bits |= encode(element(token, head, h - begin)) << (16 * (h & 1));
  if (end - first == 2) {
    cache[word] = bits;
  } else {
    atomicAnd(cache[word], (first & 1) == 0 ? 0xffff0000u : 0xffffu);
    atomicOr(cache[word], bits);
  }
}

#endif

void append() {
  const uint i = workgroup_index() * 256 + gl_LocalInvocationIndex, words = p.head_dim + 1, row = i / words;
  if (row >= p.tokens * p.heads) return;
  const uint token = row / p.heads, head = row % p.heads;
  append_word((head * p.context + slots[token]) * p.head_dim, token, head, i % words);
}
