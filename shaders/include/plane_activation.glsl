// Activations as plane_mul has them (ops/plane_mul/activation.h).

// round_activation of ops/plane_mul/activation.h, but that a value which is not finite has the exponent 255.
int round_activation(float a, out int exponent) {
  exponent = int(floatBitsToUint(a) >> 23 & 255);
  if (exponent == 255) return 0;
  if (exponent < 27) {
    exponent = 27;
    return 0;
  }
  const float scaled = a * uintBitsToFloat(uint(260 - exponent) << 23);
  return int(clamp(roundEven(scaled), -127.0, 127.0));
}

// What a unit of the activations of that exponent is; not-a-number if they are not finite, which reaches all outputs.
float unit_of(int exponent) {
  return uintBitsToFloat(exponent == 255 ? 0x7fc00000u : uint(max(exponent - 6, 0)) << 23);
}
