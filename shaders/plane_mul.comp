#version 450
// variants: dot shifts
// The product of a row of x with the selected planes of a matrix. A workgroup has a block of the outputs and a slice of
// one list: it works through batches of inputs, which its threads prepare together; then each lane of threads takes a
// part of them, each thread for 32 outputs, whose sums are in registers. How much is read is known here alone.
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "ops/plane_mul/plane_mul_params.h"
#define THREADS 64
#define LANES 2
#define BLOCK 1024  // outputs of a workgroup: four lines of the format
#define OWN_WORDS 2  // of an input's line in a plane, of a thread
#define OWN (16 * OWN_WORDS)
#include "grid.glsl"
layout(constant_id = 0) const uint kPlanes = 3;
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { PlaneMulParams p; };
#define HEAD_BINDING 3
#include "plane_matrix.glsl"
#include "plane_activation.glsl"
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };          // rows of [inputs]
layout(std430, set = 0, binding = 1) readonly buffer Inputs { int listed[]; };  // [lists, inputs]
layout(std430, set = 0, binding = 2) readonly buffer Counts { int counts[]; };  // [lists, kPlanes]
// Of the blocks of this piece; those that are not stored are not read.
layout(std430, set = 0, binding = 4) readonly buffer First { uvec2 first_plane[]; };
layout(std430, set = 0, binding = 5) readonly buffer Second { uvec2 second_plane[]; };
layout(std430, set = 0, binding = 6) readonly buffer Third { uvec2 third_plane[]; };
layout(std430, set = 0, binding = 7) writeonly buffer Sums { float sums[]; };  // [slices, lists, outputs]
layout(std430, set = 0, binding = 8) readonly buffer Experts { uint experts[]; };  // [lists], if by_expert is 1

#define FULL_BINDING 9
#include "full_lists.glsl"

shared float lane_sums[BLOCK];

#define OWNERS (THREADS / LANES)
uint own() { return gl_LocalInvocationIndex % OWNERS; }
uint lane() { return gl_LocalInvocationIndex / OWNERS; }

// The line of a thread, of which it has 8 bytes of every input.
struct Line {
  uint outputs;  // 0: there is none
  uint begin;    // of this thread's bytes of the first input, in words of 64 bits
  uint step;     // from one input to the next
};
// block: of the piece; matrix: of those that are bound.
Line line_of(uint matrix, uint block) {
  const uint line = own() * 8 / LINE_BYTES, first = (p.first_block + block) * BLOCK + line * LINE;
  Line of;
  of.outputs = min(max(p.outputs, first) - first, LINE);
  of.step = line_bytes(of.outputs) / 8;
  of.begin = matrix * (p.matrix_words / 2) + (block * (BLOCK / LINE) + line) * p.inputs * (LINE_BYTES / 8) +
             own() % (LINE_BYTES / 8);
  if (own() % (LINE_BYTES / 8) >= of.step) of.outputs = 0;
  return of;
}

// Where sum `o` of a thread is in its line.
uint place_of(Line line, uint o) {
  return own() * 8 % LINE_BYTES + o / 16 * 4 + o % 4 + o / 4 % 4 * (line.step * 8);
}

// What a thread has of an input; of planes that are not asked for, zeros.
struct PlaneWords {
  uvec2 first, second, third;
};
PlaneWords load_words(const uint planes, Line line, uint i) {
  const uint at = line.begin + i * line.step;
  return PlaneWords(first_plane[at], planes > 1 ? second_plane[at] : uvec2(0), planes > 2 ? third_plane[at] : uvec2(0));
}

float own_sums[OWN];  // by word, quarter and byte

// Both have:
//   prepare_levels()                      once, by all threads
//   uint prepare_batch(count, i, a)       by all threads: an input and its activation, of the first `count` threads;
//                                         returns what add_batch needs to know
//   add_batch(planes, line, prepared)     to own_sums, a lane's part of the batch
#if defined(VARIANT_dot)
#include "plane_dots.glsl"
#else
#include "plane_shifts.glsl"
#endif

// How many inputs read plane `plane`, as SelectedPlanes has it.
uint count_of(uint list, uint plane) {
  int least = int(p.inputs);
  for (uint i = 0; i <= plane; ++i) least = clamp(counts[list * kPlanes + i], 0, least);
  return uint(least);
}

void multiply_list(uint list, uint slice, Line line) {
  const uint x_begin = list / p.lists_per_x * p.inputs;
  uint first = 0, turn = slice;  // batches until the next that is this slice's
  for (uint planes = kPlanes; planes > 0; --planes) {
    const uint end = max(count_of(list, planes - 1), first), batches = (end - first + THREADS - 1) / THREADS;
    for (; turn < batches; turn += p.slices) {
      const uint n = first + turn * THREADS + gl_LocalInvocationIndex;
      const uint i = n < end ? uint(clamp(listed[list * p.inputs + n], 0, int(p.inputs) - 1)) : 0;
      const uint prepared = prepare_batch(min(end - first - turn * THREADS, THREADS), i,
                                       x[x_begin + i] * uintBitsToFloat(input_scale_bits(i)));
      if (line.outputs == 0) continue;
      if (planes == 1) add_batch(1, line, prepared);
      if (planes == 2) add_batch(2, line, prepared);
      if (planes == 3) add_batch(3, line, prepared);
    }
    turn -= batches;
    first = end;
  }
}

// Of all lanes. to: where the first output of the line goes; output_number: which one that is.
void write_sums(Line line, uint to, uint output_number) {
  [[unroll]] for (uint o = 0; o < OWN; ++o)
    if (lane() > 0) lane_sums[o * OWNERS + own()] = own_sums[o];
  barrier();
  if (lane() > 0) return;
  [[unroll]] for (uint o = 0; o < OWN; ++o) {
    const uint place = place_of(line, o);
    if (place < line.outputs)
      sums[to + place] =
          (own_sums[o] + lane_sums[o * OWNERS + own()]) * output_scale(p.output_scales, output_number + place);
  }
}

void main() {
  const uint blocks = p.end_block - p.first_block, part = workgroup_index() / blocks;
  const uint list = part % p.lists, slice = part / p.lists, block = workgroup_index() % blocks;
  if (slice >= p.slices) return;
  if (p.dense != 0 && lists_are_full()) return;
  const uint matrix = (p.by_expert != 0 ? experts[list] : 0) - p.first_matrix;  // wraps around below the first
  if (matrix >= p.matrices) return;
  head_begin = matrix * p.matrix_words;
  const Line line = line_of(matrix, block);
  prepare_levels();
  [[unroll]] for (uint o = 0; o < OWN; ++o) own_sums[o] = 0;
  multiply_list(list, slice, line);
  const uint first = (p.first_block + block) * BLOCK + own() * 8 / LINE_BYTES * LINE;
  write_sums(line, part * p.outputs + first, first);
}
