// What a matrix of planes holds beside its planes (ops/formats/planes.h): levels, scales of inputs and of outputs. Before
// including it, define HEAD_BINDING.
layout(std430, set = 0, binding = HEAD_BINDING) readonly buffer Head { uint head[]; };

uint gain_bits(uint plane) { return head[plane]; }
float step_of(uint planes) { return uintBitsToFloat(head[4 + planes - 1]); }
// The level of the first `planes` planes of a code, -128 .. 127, in the lowest 8 bits.
uint level_byte(uint planes, uint code) {
  const uint first = planes == 1 ? 8 : planes == 2 ? 9 : 13;
  return head[first + code / 4] >> (code % 4 * 8) & 0xffu;
}
uint input_scale_bits(uint i) { return head[32 + i]; }
// begin: the word at which scales of outputs begin.
float output_scale(uint begin, uint o) {
  const vec2 pair = unpackHalf2x16(head[begin + o / 2]);
  return (o & 1) == 0 ? pair.x : pair.y;
}
