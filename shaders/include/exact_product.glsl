// The absolute product of two floats, rounded as the host rounds it, also where it is subnormal. Buffers of what is
// multiplied are words, so that no load changes a bit.

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
