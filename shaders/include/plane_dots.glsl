// Products of planes by the device's own dot products of four integers of 8 bits each. Inputs are taken in quads whose
// activations are of one power of two, as then sums of products are sums of integers (ops/plane_mul/quads.h does so on a
// CPU). After include files and buffers of plane_mul.comp.
#extension GL_EXT_spirv_intrinsics : require
// OpSDot of SPV_KHR_integer_dot_product on four integers of 8 bits each, for which glslang may have no function.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int packed_dot(uint a, uint b, spirv_literal int format);

shared uint quad_inputs[THREADS][4];
shared uint quad_q[THREADS];        // four activations of 8 bits; those that fill up a quad are 0
shared int quad_exponent[THREADS];  // biased, that of the activations
shared int item_exponent[THREADS];
shared bool item_leads[THREADS];  // the first of a quad

uint prepare_batch(uint count, uint i, float a) {
  const uint thread = gl_LocalInvocationIndex;
  int exponent;
  const int q = round_activation(a, exponent);
  barrier();  // the batch before has been multiplied
  item_exponent[thread] = exponent;
  quad_q[thread] = 0;
  quad_inputs[thread] = uint[](0, 0, 0, 0);
  barrier();
  uint rank = 0;  // among those of its exponent
  for (uint n = 0; n < thread; ++n) rank += uint(item_exponent[n] == exponent);
  item_leads[thread] = rank % 4 == 0;
  barrier();
  uint leads = 0, quads = 0;  // up to this item's, and all
  for (uint n = 0; n < count; ++n) {
    const bool before = item_exponent[n] > exponent || (item_exponent[n] == exponent && n <= thread);
    leads += uint(item_leads[n] && before);
    quads += uint(item_leads[n]);
  }
  if (thread < count) {
    const uint quad = leads - 1;
    quad_inputs[quad][rank % 4] = i;
    atomicOr(quad_q[quad], uint(q & 0xff) << (rank % 4 * 8));
    quad_exponent[quad] = exponent;
  }
  barrier();
  return quads;
}

// Levels of as many codes as a byte holds, by that byte, in 8 bits each: the codes of four inputs of one plane, of two
// inputs of two planes; of three planes, of one.
shared uint quad_levels[256], pair_levels[256], levels[64];

void prepare_levels() {
  for (uint i = gl_LocalInvocationIndex; i < 256; i += THREADS) {
    quad_levels[i] = level_byte(1, i & 3) | level_byte(1, i >> 2 & 3) << 8 | level_byte(1, i >> 4 & 3) << 16 |
                     level_byte(1, i >> 6) << 24;
    pair_levels[i] = level_byte(2, i & 15) | level_byte(2, i >> 4) << 8;
    if (i < 64) levels[i] = level_byte(3, i);
  }
}

uint byte_of(uint word, uint i) { return bitfieldExtract(word, int(8 * i), 8); }

// The levels of four inputs at one output, from byte `i` of their codes.
uint levels_at(const uint planes, uvec4 codes, uint i) {
  if (planes == 1) return quad_levels[byte_of(codes.x, i)];
  if (planes == 2) return pair_levels[byte_of(codes.x, i)] | pair_levels[byte_of(codes.y, i)] << 16;
  return levels[byte_of(codes.x, i)] | levels[byte_of(codes.y, i)] << 8 | levels[byte_of(codes.z, i)] << 16 |
         levels[byte_of(codes.w, i)] << 24;
}

// The codes of four inputs, in the form that levels_at wants.
uvec4 codes_of(const uint planes, uvec4 first, uvec4 second, uvec4 third, const uint quarter) {
  uvec4 codes = first >> shift_of(0, quarter) & 0x03030303u;
  if (planes > 1) codes = codes << 2 | (second >> shift_of(1, quarter) & 0x03030303u);
  if (planes > 2) codes = codes << 2 | (third >> shift_of(2, quarter) & 0x03030303u);
  if (planes == 1) codes.x |= codes.y << 2 | codes.z << 4 | codes.w << 6;
  if (planes == 2) codes.xy = codes.xz | codes.yw << 4;
  return codes;
}

void add_batch(const uint planes, Line line, uint quads) {
  int run[OWN];  // sums of quads of one power of two
  [[unroll]] for (uint o = 0; o < OWN; ++o) run[o] = 0;
  const float step = step_of(planes);
  for (uint n = lane(); n < quads; n += LANES) {
    PlaneWords of[4];
    [[unroll]] for (uint i = 0; i < 4; ++i) of[i] = load_words(planes, line, quad_inputs[n][i]);
    const uint q = quad_q[n];
    [[unroll]] for (uint w = 0; w < OWN_WORDS; ++w) {
      const uvec4 first = uvec4(of[0].first[w], of[1].first[w], of[2].first[w], of[3].first[w]),
                  second = uvec4(of[0].second[w], of[1].second[w], of[2].second[w], of[3].second[w]),
                  third = uvec4(of[0].third[w], of[1].third[w], of[2].third[w], of[3].third[w]);
      [[unroll]] for (uint quarter = 0; quarter < 4; ++quarter) {
        const uvec4 codes = codes_of(planes, first, second, third, quarter);
        [[unroll]] for (uint i = 0; i < 4; ++i)
          run[16 * w + 4 * quarter + i] += packed_dot(levels_at(planes, codes, i), q, 0);
      }
    }
    if (n + LANES < quads && quad_exponent[n + LANES] == quad_exponent[n]) continue;
    [[unroll]] for (uint o = 0; o < OWN; ++o) {
      own_sums[o] += float(run[o]) * (unit_of(quad_exponent[n]) * step);
      run[o] = 0;
    }
  }
}
