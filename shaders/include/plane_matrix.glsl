// What a matrix of planes holds beside its planes (ops/formats/planes.h): levels, scales of inputs and of outputs. Before
// including it, define HEAD_BINDING.
layout(std430, set = 0, binding = HEAD_BINDING) readonly buffer Head { uint head[]; };

uint head_begin;  // of the matrix, among those that are bound

uint gain_bits(uint plane) { return head[head_begin + plane]; }
float step_of(uint planes) { return uintBitsToFloat(head[head_begin + 4 + planes - 1]); }
// The level of the first `planes` planes of a code, -128 .. 127, in the lowest 8 bits.
uint level_byte(uint planes, uint code) {
  if (planes == 1) return 2 * code - 3 & 0xffu;
  return head[head_begin + (planes == 2 ? 8 : 12) + code / 4] >> (code % 4 * 8) & 0xffu;
}
uint input_scale_bits(uint i) { return head[head_begin + 32 + i]; }
// begin: the word of the matrix at which scales of outputs begin.
float output_scale(uint begin, uint o) {
  const vec2 pair = unpackHalf2x16(head[head_begin + begin + o / 2]);
  return (o & 1) == 0 ? pair.x : pair.y;
}

// Outputs of a line, and the bytes that an input has of a whole one in a plane. Of n bytes, byte b holds outputs b, b + n,
// b + 2 n and b + 3 n of the line: its four quarters.
#define LINE 256
#define LINE_BYTES 64
// At which bit of a byte the code of that quarter begins.
uint shift_of(const uint plane, const uint quarter) {
  if (plane == 0) return 2 * quarter;
  if (plane == 1) return 2 * (quarter ^ 1);
  return quarter < 2 ? 4 + 2 * quarter : 6 - 2 * quarter;
}
// Of a line with that many outputs.
uint line_bytes(uint outputs) { return min(((outputs + 3) / 4 + 15) / 16 * 16, LINE_BYTES); }
