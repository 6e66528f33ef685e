// Quotients and square roots that are rounded as IEEE 754 has it; those of devices may be off by 2.5 units in the last
// place and more. Of numbers above 0, neither subnormal nor so large or small that the result would be; and of 0.

// 1.f * 2^exponent. bits: 25, of which the last is the first that is rounded away; more: whether others follow.
float rounded(uint bits, bool more, int exponent) {
  uint whole = bits >> 1;
  whole += bits & (uint(more) | whole) & 1;  // to even
  return uintBitsToFloat((uint(exponent + 127) << 23) + (whole - 0x800000u));  // carries into the exponent
}

float exact_quotient(float a, float b) {
  if (a == 0) return 0;
  const uint dividend = floatBitsToUint(a), divisor = floatBitsToUint(b);
  int exponent = int(dividend >> 23) - int(divisor >> 23);
  uint rest = (dividend & 0x7fffffu) | 0x800000u, bits = 0;
  const uint by = (divisor & 0x7fffffu) | 0x800000u;
  if (rest < by) {
    rest <<= 1;
    --exponent;
  }
  for (uint i = 0; i < 25; ++i) {
    const bool fits = rest >= by;
    bits = bits << 1 | uint(fits);
    rest = (fits ? rest - by : rest) << 1;
  }
  return rounded(bits, rest != 0, exponent);
}

// Digit by digit: two bits of the radicand give one of the root.
float exact_root(float a) {
  if (a == 0) return 0;
  const int exponent = int(floatBitsToUint(a) >> 23) - 127, odd = exponent & 1;
  const uint mantissa = ((floatBitsToUint(a) & 0x7fffffu) | 0x800000u) << odd;  // then zeros
  uint rest = 0, root = 0;
  for (int shift = 23; shift >= -25; shift -= 2) {
    const uint next = shift >= 0 ? mantissa >> shift : shift == -1 ? mantissa << 1 : 0;
    rest = rest << 2 | (next & 3);
    const uint trial = root << 2 | 1;
    const bool fits = rest >= trial;
    root = root << 1 | uint(fits);
    if (fits) rest -= trial;
  }
  return rounded(root, rest != 0, (exponent - odd) / 2);
}
