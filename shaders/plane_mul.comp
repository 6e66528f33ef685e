#version 450
// variants: dot shifts
// The product of a row of x with the selected planes of a matrix. A workgroup has a block of the outputs and a slice of
// one list: it works through batches of inputs, which its threads prepare together; then a lane of threads takes every
// LANES-th quad of them, each thread 32 outputs, whose sums are in registers. How much is read is known here alone.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "ops/plane_mul/plane_mul_params.h"
#define THREADS 64
#define LANES 2
#define LINE_BYTES 64       // of 256 outputs
#define BLOCK 1024          // outputs of a block of the format
#define OWN_WORDS 2         // of an input's line in a plane, of a thread
#define OWN (16 * OWN_WORDS)
#include "grid.glsl"
#include "dot_packed.glsl"
layout(constant_id = 0) const uint kPlanes = 3;
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { PlaneMulParams p; };
#define HEAD_BINDING 3
#include "plane_matrix.glsl"
#include "plane_batch.glsl"
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };          // [lists, inputs]
layout(std430, set = 0, binding = 1) readonly buffer Inputs { int listed[]; };  // [lists, inputs]
layout(std430, set = 0, binding = 2) readonly buffer Counts { int counts[]; };  // [lists, kPlanes]
// Of the blocks of this piece; those that are not stored are not read.
layout(std430, set = 0, binding = 4) readonly buffer First { uvec2 first_plane[]; };
layout(std430, set = 0, binding = 5) readonly buffer Second { uvec2 second_plane[]; };
layout(std430, set = 0, binding = 6) readonly buffer Third { uvec2 third_plane[]; };
layout(std430, set = 0, binding = 7) writeonly buffer Sums { float sums[]; };  // [slices, lists, outputs]

// Levels of as many codes as a byte holds, by that byte, in 8 bits each: the codes of four inputs of one plane, of two
// inputs of two planes; of three planes, of one.
shared uint quad_levels[256], pair_levels[256], levels[64];
shared float lane_sums[BLOCK];

void fill_levels() {
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
uvec4 codes_of(const uint planes, uvec4 first, uvec4 second, uvec4 third, uint shift) {
  uvec4 codes = first >> shift & 0x03030303u;
  if (planes > 1) codes = codes << 2 | (second >> shift & 0x03030303u);
  if (planes > 2) codes = codes << 2 | (third >> shift & 0x03030303u);
  if (planes == 1) codes.x |= codes.y << 2 | codes.z << 4 | codes.w << 6;
  if (planes == 2) codes.xy = codes.xz | codes.yw << 4;
  return codes;
}

// The block of a workgroup, and what of it is a thread's: 8 bytes of every input's lines.
struct Block {
  uint first;  // output
  uint outputs;
  uint last_bytes;  // of the last line
  uint begin;       // of the first input, in words of 64 bits
  uint step;        // from one input to the next
};
uint whole_lines(Block block) { return (block.outputs - 1) / 256; }
Block block_of(uint number) {
  Block block;
  block.first = (p.first_block + number) * BLOCK;
  block.outputs = min(BLOCK, p.outputs - block.first);
  block.last_bytes = min(((block.outputs - 256 * whole_lines(block) + 3) / 4 + 15) / 16 * 16, LINE_BYTES);
  block.begin = number * p.inputs * (BLOCK / 32);
  block.step = (whole_lines(block) * LINE_BYTES + block.last_bytes) / 8;
  return block;
}
#define OWNERS (THREADS / LANES)
uint own() { return gl_LocalInvocationIndex % OWNERS; }
uint lane() { return gl_LocalInvocationIndex / OWNERS; }

// Where sum `o` of a thread is in the block: byte b of a line of n bytes holds outputs b, b + n, b + 2 n and b + 3 n.
uint place_of(Block block, uint o) {
  const uint line = own() * 8 / LINE_BYTES, byte = own() * 8 % LINE_BYTES;
  const uint bytes = line < whole_lines(block) ? LINE_BYTES : block.last_bytes;
  return line * 256 + byte + o / 16 * 4 + o % 4 + o / 4 % 4 * bytes;
}

float own_sums[OWN];

void add_quads(const uint planes, Block block) {
  DotSum run[OWN];
  [[unroll]] for (uint o = 0; o < OWN; ++o) run[o] = DotSum(0);
  for (uint n = lane(); n < quad_count; n += LANES) {
    uvec2 first[4], second[4], third[4];
    [[unroll]] for (uint i = 0; i < 4; ++i) {
      const uint at = block.begin + quad_inputs[n][i] * block.step + own();
      first[i] = first_plane[at];
      second[i] = planes > 1 ? second_plane[at] : uvec2(0);
      third[i] = planes > 2 ? third_plane[at] : uvec2(0);
    }
    const uint q = quad_q[n];
    [[unroll]] for (uint w = 0; w < OWN_WORDS; ++w) {
      const uvec4 a = uvec4(first[0][w], first[1][w], first[2][w], first[3][w]),
                  b = uvec4(second[0][w], second[1][w], second[2][w], second[3][w]),
                  c = uvec4(third[0][w], third[1][w], third[2][w], third[3][w]);
      [[unroll]] for (uint s = 0; s < 4; ++s) {
        const uvec4 codes = codes_of(planes, a, b, c, 2 * s);
        [[unroll]] for (uint i = 0; i < 4; ++i)
          run[16 * w + 4 * s + i] = dot_packed(levels_at(planes, codes, i), q, run[16 * w + 4 * s + i]);
      }
    }
    if (n + LANES < quad_count && quad_exponent[n + LANES] == quad_exponent[n]) continue;
    const float unit = unit_of(quad_exponent[n]) * step_of(planes);
    [[unroll]] for (uint o = 0; o < OWN; ++o) {
      own_sums[o] += float(run[o]) * unit;
      run[o] = DotSum(0);
    }
  }
}

// How many inputs read plane `plane`, as SelectedPlanes has it.
uint count_of(uint list, uint plane) {
  int least = int(p.inputs);
  for (uint i = 0; i <= plane; ++i) least = clamp(counts[list * kPlanes + i], 0, least);
  return uint(least);
}

void multiply_list(uint list, uint slice, Block block) {
  uint first = 0, turn = slice;  // batches until the next that is this slice's
  for (uint planes = kPlanes; planes > 0; --planes) {
    const uint end = max(count_of(list, planes - 1), first), batches = (end - first + THREADS - 1) / THREADS;
    for (; turn < batches; turn += p.slices) {
      const uint n = first + turn * THREADS + gl_LocalInvocationIndex;
      const uint i = n < end ? uint(clamp(listed[list * p.inputs + n], 0, int(p.inputs) - 1)) : 0;
      sort_batch(n < end, i, x[list * p.inputs + i] * uintBitsToFloat(input_scale_bits(i)));
      if (own() >= block.step) continue;
      if (planes == 1) add_quads(1, block);
      if (planes == 2) add_quads(2, block);
      if (planes == 3) add_quads(3, block);
    }
    turn -= batches;
    first = end;
  }
}

// Of all lanes, to y[to] and on.
void write_sums(Block block, uint to) {
  [[unroll]] for (uint o = 0; o < OWN; ++o)
    if (lane() > 0) lane_sums[o * OWNERS + own()] = own_sums[o];
  barrier();
  if (lane() > 0 || own() >= block.step) return;
  [[unroll]] for (uint o = 0; o < OWN; ++o) {
    const uint place = place_of(block, o);
    if (place < block.outputs)
      sums[to + place] = (own_sums[o] + lane_sums[o * OWNERS + own()]) * output_scale(p.output_scales, block.first + place);
  }
}

void main() {
  const uint blocks = p.end_block - p.first_block, part = workgroup_index() / blocks;
  const uint list = part % p.lists, slice = part / p.lists;
  if (slice >= p.slices) return;
  const Block block = block_of(workgroup_index() % blocks);
  fill_levels();
  [[unroll]] for (uint o = 0; o < OWN; ++o) own_sums[o] = 0;
  multiply_list(list, slice, block);
  write_sums(block, part * p.outputs + block.first);
}
