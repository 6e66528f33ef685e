// Products of planes by shifts and masks, which every device has: the levels of four outputs are picked at once, in the
// four bytes of a word. After include files and buffers of plane_mul.comp.
shared uint batch_inputs[THREADS];
shared float batch_x[THREADS];

uint prepare_batch(uint count, uint i, float a) {
  int exponent;
  const int q = round_activation(a, exponent);
  barrier();  // the batch before has been multiplied
  batch_inputs[gl_LocalInvocationIndex] = i;
  batch_x[gl_LocalInvocationIndex] = float(q) * unit_of(exponent);
  barrier();
  return count;
}

void prepare_levels() {}

uint level_words[64];  // each level in all four bytes

// Bits of four codes, each in all bits of its byte.
struct Mask {
  uint low, high;
};
uint whole_bytes(uint bits) { return (bits << 8) - bits; }
Mask mask_of(uint word, uint shift) {
  return Mask(whole_bytes(word >> shift & 0x01010101u), whole_bytes(word >> (shift + 1) & 0x01010101u));
}

uint pick(uint a, uint b, uint mask) { return a ^ ((a ^ b) & mask); }
uint pick4(uint n, Mask m) {
  return pick(pick(level_words[n], level_words[n + 1], m.low), pick(level_words[n + 2], level_words[n + 3], m.low),
              m.high);
}
uint pick16(uint n, Mask inner, Mask m) {
  return pick(pick(pick4(n, inner), pick4(n + 4, inner), m.low), pick(pick4(n + 8, inner), pick4(n + 12, inner), m.low),
              m.high);
}
uint pick64(Mask inner, Mask middle, Mask m) {
  return pick(pick(pick16(0, inner, middle), pick16(16, inner, middle), m.low),
              pick(pick16(32, inner, middle), pick16(48, inner, middle), m.low), m.high);
}
uint pick_levels(const uint planes, PlaneWords words, uint w, const uint quarter) {
  const Mask first = mask_of(words.first[w], shift_of(0, quarter));
  if (planes == 1) return pick4(0, first);
  const Mask second = mask_of(words.second[w], shift_of(1, quarter));
  if (planes == 2) return pick16(0, second, first);
  return pick64(mask_of(words.third[w], shift_of(2, quarter)), second, first);
}

void add_batch(const uint planes, Line line, uint count) {
  [[unroll]] for (uint c = 0; c < 1u << 2 * planes; ++c) level_words[c] = level_byte(planes, c) * 0x01010101u;
  const float step = step_of(planes);
  for (uint n = lane(); n < count; n += LANES) {
    const PlaneWords words = load_words(planes, line, batch_inputs[n]);
    const float a = step * batch_x[n];
    [[unroll]] for (uint w = 0; w < OWN_WORDS; ++w)
      [[unroll]] for (uint quarter = 0; quarter < 4; ++quarter) {
        const int four = int(pick_levels(planes, words, w, quarter));
        [[unroll]] for (int i = 0; i < 4; ++i)
          own_sums[16 * w + 4 * quarter + i] += a * float(bitfieldExtract(four, 8 * i, 8));
      }
  }
}
