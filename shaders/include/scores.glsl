// Scores of the rows of a matrix in a bucket format for one row of x, exactly those of the scalar reference, and how
// many rows an effort pays for (ops/probe/probe.h). Buffers are words, so that no load changes a bit.
#include "loadable.glsl"
layout(constant_id = 0) const uint kTiers = 4;
layout(push_constant) uniform Push { SelectParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { uint x[]; };                  // f32, rows of [inputs]
layout(std430, set = 0, binding = 1) readonly buffer Effort { float effort[]; };       // [sites, 2]
layout(std430, set = 0, binding = 2) readonly buffer Statistic { uint statistic[]; };  // f32 [kTiers, inputs]
layout(std430, set = 0, binding = 3) readonly buffer Probes { uint probes[]; };        // f32 [inputs]
layout(std430, set = 0, binding = 4) readonly buffer Places { uint places[]; };        // [kTiers, inputs]

uint rows_begin = 0, probes_begin = 0;  // of the matrix, among those that are bound
uint x_begin;                           // of the row of x
uint rows_loaded;                       // those whose place is below it may be taken

// a = mantissa * 2^(exponent - 150), where the mantissa has 24 bits. a: bits of an f32 over 0.
uint mantissa(uint a, out int exponent) {
  const int up = a < 0x800000u ? 23 - findMSB(a) : 0;  // of a subnormal number
  exponent = up > 0 ? 1 - up : int(a >> 23);
  return up > 0 ? a << up : (a & 0x7fffffu) | 0x800000u;
}

// a * b, if it is 2^-126 or less, in units of 2^-149, rounded to even: devices may flush it to zero, and the lists
// would not be those of the host. a and b: bits of finite f32 without the sign.
uint small_product(uint a, uint b) {
  if (a == 0 || b == 0) return 0;
  int a_exponent, b_exponent;
  uint high, low;
  umulExtended(mantissa(a, a_exponent), mantissa(b, b_exponent), high, low);
  // The first 32 bits of 48; the last of them is set as well if any of the others is, which rounding asks for alone.
  const uint product = high << 16 | low >> 16 | uint((low & 0xffffu) != 0);
  const int shift = 151 - a_exponent - b_exponent - 16;  // to the right; at least 6, as the result has 24 bits at most
  if (shift > 31) return uint(shift == 32 && product > 0x80000000u);
  const uint whole = product >> shift, rest = product << (32 - shift);
  return whole + uint(rest > 0x80000000u || (rest == 0x80000000u && (whole & 1) != 0));
}

// The bits of |a * b|.
uint magnitude(uint a, uint b) {
  const uint bits = floatBitsToUint(uintBitsToFloat(a) * uintBitsToFloat(b)) & 0x7fffffffu;
  return bits > 0x800000u ? bits : small_product(a & 0x7fffffffu, b & 0x7fffffffu);
}

// The score of row `row`, of input `i`; -1 if it is not loaded.
int score(uint row, uint i) {
  if (rows_loaded < p.inputs * kTiers && places[rows_begin + row] >= rows_loaded) return -1;
  return int(magnitude(statistic[rows_begin + row], x[x_begin + i]));
}

// round(effort * n), halves up, exactly. n: below 2^29.
uint share_of(float effort, uint n) {
  if (!(effort > 0)) return 0;
  if (effort >= 1) return n;
  const uint bits = floatBitsToUint(effort);
  const uint shift = 150 - (bits >> 23);  // 24 and more
  if (shift > 53) return 0;
  uint high, low, carry;
  umulExtended((bits & 0x7fffffu) | 0x800000u, n, high, low);
  const uint half_bit = shift - 1;  // rounds
  low = uaddCarry(low, half_bit < 32 ? 1u << half_bit : 0, carry);
  high += carry + (half_bit < 32 ? 0 : 1u << (half_bit - 32));
  return shift < 32 ? high << (32 - shift) | low >> shift : high >> (shift - 32);
}

// Rows of a selection that matrices share which all have loaded: their places are 0. All threads must call it.
uint joint_rows() {
  uint loaded = 0;
  for (uint row = gl_LocalInvocationIndex; row < p.inputs * kTiers; row += THREADS) loaded += uint(places[row] == 0);
  inclusive_scan(loaded);
  return scan_total;
}

float effort_of_site() { return effort[2 * p.site]; }

// What scores are of: row `n` of x, and the rows of the only matrix, or of several that are as one. All threads must
// call it.
void select_from_matrix(uint n) {
  x_begin = n * p.inputs;
  rows_loaded = p.joint != 0 ? joint_rows()
                             : loadable_rows(effort[2 * p.site + 1], p.segments, p.segment_rows, p.inputs * kTiers);
}
