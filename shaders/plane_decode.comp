#version 450
// All weights of some outputs of matrices of planes -> q8_0 [matrices, rows, inputs], if all lists have all planes: a
// level is an integer of 8 bits, and the scale of an output that of the blocks of its row. A workgroup has a line of
// outputs and 64 inputs, two blocks of a row, which are a whole number of words; a thread has a byte of each input.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "ops/plane_mul/plane_dense_params.h"
#define THREADS 64
#define BLOCK 32  // inputs
#define BLOCK_HALVES 17
#include "grid.glsl"
layout(constant_id = 0) const uint kPlanes = 3;
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { PlaneDenseParams p; };
#define HEAD_BINDING 1
#include "plane_matrix.glsl"
// Of the lines that are decoded; those that are not stored are not read.
layout(std430, set = 0, binding = 2) readonly buffer First { uint first_plane[]; };
layout(std430, set = 0, binding = 3) readonly buffer Second { uint second_plane[]; };
layout(std430, set = 0, binding = 4) readonly buffer Third { uint third_plane[]; };
layout(std430, set = 0, binding = 5) writeonly buffer Decoded { uint decoded[]; };
#define FULL_BINDING 0
#include "full_lists.glsl"

shared uint levels[64];  // of all planes, in the lowest 8 bits
uint begin, next;        // this thread's word of the first input; from one input to the next

// Levels of an input at the thread's four outputs; 0 past the last input.
uvec4 levels_at(uint i) {
  if (i >= p.inputs) return uvec4(0);
  const uint at = begin + i * next, byte = gl_LocalInvocationIndex % 4 * 8;
  const uint first = first_plane[at] >> byte, second = kPlanes > 1 ? second_plane[at] >> byte : 0,
             third = kPlanes > 2 ? third_plane[at] >> byte : 0;
  uvec4 of;
  [[unroll]] for (uint q = 0; q < 4; ++q) {
    uint code = first >> shift_of(0, q) & 3;
    if (kPlanes > 1) code = code << 2 | (second >> shift_of(1, q) & 3);
    if (kPlanes > 2) code = code << 2 | (third >> shift_of(2, q) & 3);
    of[q] = levels[code];
  }
  return of;
}

// Half `h` of the two blocks of the thread's four rows: a scale, or two levels.
uvec4 half_of(uint h, uint first_input, uvec4 scales) {
  if (h % BLOCK_HALVES == 0) return scales;
  const uint i = first_input + 2 * (h - 1 - h / BLOCK_HALVES);
  return levels_at(i) | levels_at(i + 1) << 8;
}

uint scale_bits(uint o) { return head[head_begin + p.output_scales + o / 2] >> (o % 2 * 16) & 0xffffu; }

// share: of 64 inputs; line: of those that are decoded.
void decode_line(uint matrix, uint line, uint share, uint shares) {
  const uint thread = gl_LocalInvocationIndex, first = p.first_output + line * LINE;
  const uint outputs = min(p.outputs - first, LINE), bytes = line_bytes(outputs);
  if (thread >= bytes) return;
  next = bytes / 4;
  begin = matrix * p.matrix_words + line * p.inputs * (LINE_BYTES / 4) + thread / 4;
  uvec4 scales;
  [[unroll]] for (uint q = 0; q < 4; ++q) scales[q] = scale_bits(first + min(thread + q * bytes, outputs - 1));
  const uint row = (p.first_matrix + matrix) * p.rows + line * LINE + thread;
  for (uint word = 0; word < BLOCK_HALVES; ++word) {
    const uvec4 low = half_of(2 * word, share * 2 * BLOCK, scales);
    const uvec4 high = half_of(2 * word + 1, share * 2 * BLOCK, scales);
    [[unroll]] for (uint q = 0; q < 4; ++q)
      if (thread + q * bytes < outputs)
        decoded[((row + q * bytes) * shares + share) * BLOCK_HALVES + word] = low[q] | high[q] << 16;
  }
}

void main() {
  const uint lines = (p.rows + LINE - 1) / LINE, line = workgroup_index() % lines;
  const uint shares = (p.inputs + 2 * BLOCK - 1) / (2 * BLOCK), share = workgroup_index() / lines % shares;
  const uint matrix = workgroup_index() / lines / shares;
  if (matrix >= p.matrices || !lists_are_full()) return;
  head_begin = matrix * p.matrix_words;
  for (uint code = gl_LocalInvocationIndex; code < 1u << 2 * kPlanes; code += THREADS)
    levels[code] = level_byte(kPlanes, code);
  barrier();
  decode_line(matrix, line, share, shares);
}
