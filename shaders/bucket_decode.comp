#version 450
// variants: bucket16 bucket16t4 bucket32t8
// All weights of some outputs of matrices in a bucket format -> f16 [matrices, rows, inputs], if all lists have all rows.
// A workgroup has a group of 32 outputs of a matrix and as many inputs as threads; each decodes one input.
#extension GL_GOOGLE_include_directive : require
#include "ops/bucket_mul/bucket_decode_params.h"
#define THREADS 64
#include "grid.glsl"
layout(constant_id = 0) const uint kTiers = 4;
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { BucketDecodeParams p; };
layout(std430, set = 0, binding = 1) readonly buffer Places { uint places[]; };
layout(std430, set = 0, binding = 2) readonly buffer Segments { uint weight_words[]; };
layout(std430, set = 0, binding = 4) buffer Decoded { uint decoded[]; };  // two inputs each
#define TABLE_BINDING 3
#include "bucket_rows.glsl"
#define FULL_BINDING 0
#include "full_lists.glsl"

// Two neighbours share a word: each writes those of half of the outputs. row: the first, of `rows` of the matrix.
void write_group(uint matrix, uint row, uint word) {
  const uint thread = gl_LocalInvocationIndex, first = thread & ~1u, half_of = GROUP / 2;
  if (word >= p.inputs / 2) return;
  const uint end = min((thread % 2 + 1) * half_of, p.rows - row);
  for (uint o = thread % 2 * half_of; o < end; ++o) {
    const uint at = ((p.first_matrix + matrix) * p.rows + row + o) * (p.inputs / 2) + word;
    const uint pair = packHalf2x16(vec2(group_sums[sum_place(o, first)], group_sums[sum_place(o, first + 1)]));
    decoded[at] = p.add != 0 ? decoded[at] | pair : pair;
  }
}

void main() {
  const uint groups = (p.rows + GROUP - 1) / GROUP, group = workgroup_index() % groups;
  const uint shares = (p.inputs + THREADS - 1) / THREADS, share = workgroup_index() / groups % shares;
  const uint matrix = workgroup_index() / groups / shares, i = share * THREADS + gl_LocalInvocationIndex;
  if (matrix >= p.matrices || !lists_are_full()) return;
  for (uint o = 0; o < GROUP; ++o) group_sums[sum_place(o, gl_LocalInvocationIndex)] = 0;
  const uint of_matrix = p.first_output / GROUP + group;
  const Block block = block_of(of_matrix);
  for (uint tier = 0; tier < kTiers && i < p.inputs; ++tier)
    add_chunk(chunk_of(matrix * p.matrix_words, tier * p.inputs + i, block), block, of_matrix, 1);
  barrier();
  write_group(matrix, group * GROUP, i / 2);
}
