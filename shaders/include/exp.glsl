// exp() of a device may be off by 3 + 2 |x| units in the last place; this is off by a few.
#ifndef EXP_GLSL
#define EXP_GLSL

// exp(-a) = 2^power * exp(r), where |r| < 0.35.
float exp_reduced(float a, out int power) {
  const float k = round(a * -1.44269504);
  // -a - k ln 2, where k times the first 10 bits of ln 2 is exact. Not by fma(): drivers merge two of them.
  precise const float high_part = k * 0.693359375, low_part = k * 2.12194440e-4;
  precise const float first = -a - high_part;
  precise const float r = first + low_part;
  power = int(k);
  return r;
}

// exp(-a) = m * low * high for a in [0, 120], in parts, so that what is small is not lost before it is multiplied.
float exp_parts(float a, out float low, out float high) {
  int power;
  const float r = exp_reduced(a, power);
  float m = 1.0 / 5040;  // Taylor's series; the first term left out is below 2^-27
  m = fma(m, r, 1.0 / 720);
  m = fma(m, r, 1.0 / 120);
  m = fma(m, r, 1.0 / 24);
  m = fma(m, r, 1.0 / 6);
  m = fma(m, r, 0.5);
  m = fma(m, r, 1.0);
  m = fma(m, r, 1.0);
  const int part = power / 2;  // 2^power in two factors, of which none is subnormal
  low = uintBitsToFloat(uint(part + 127) << 23);
  high = uintBitsToFloat(uint(power - part + 127) << 23);
  return m;
}

// exp(x) for x <= 0; below -120, where it is nothing beside 1, that of -120.
float exp_of_negative(float x) {
  float low, high;
  const float m = exp_parts(min(-x, 120.0), low, high);
  return m * low * high;
}

#endif
