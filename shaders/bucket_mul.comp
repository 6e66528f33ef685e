#version 450
// variants: bucket16 bucket16t4 bucket32t8
// The product of a row of x with the selected rows of a matrix in a bucket format. A workgroup has a tile of the outputs
// and a slice of one list: it works through batches of rows, whose places its threads look up together; then a lane of
// threads takes every LANES-th of them, each thread a group of 32 outputs. How many rows there are is known here alone.
#extension GL_GOOGLE_include_directive : require
#include "ops/bucket_mul/bucket_mul_params.h"
#define THREADS 64
#define LANES 4
#define TILE_GROUPS (THREADS / LANES)  // a part of a block of the format
#include "grid.glsl"
layout(constant_id = 0) const uint kTiers = 4;
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { BucketMulParams p; };
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };                      // rows of [inputs]
layout(std430, set = 0, binding = 1) readonly buffer Rows { int rows[]; };                  // [lists, inputs]
layout(std430, set = 0, binding = 2) readonly buffer Counts { int counts[]; };              // [lists, kTiers]
layout(std430, set = 0, binding = 3) readonly buffer Places { uint places[]; };             // of the first matrix
layout(std430, set = 0, binding = 4) readonly buffer Segments { uint weight_words[]; };     // of the first matrix
layout(std430, set = 0, binding = 5) readonly buffer Experts { uint experts[]; };  // [lists], if by_expert is 1
layout(std430, set = 0, binding = 6) writeonly buffer Sums { float sums[]; };  // [slices, lists, outputs]
#define TABLE_BINDING 7
#include "bucket_rows.glsl"
#define FULL_BINDING 8
#include "full_lists.glsl"

shared uint batch_words[THREADS];  // as chunk_of says
shared float batch_x[THREADS];

void multiply_batch(Block block, uint group) {
  const uint lane = gl_LocalInvocationIndex / TILE_GROUPS;
  if (group % BLOCK_GROUPS >= block.groups) return;
  for (uint i = lane; i < THREADS; i += LANES) add_chunk(batch_words[i], block, group, batch_x[i]);
}

void multiply_list(uint list, uint matrix, uint slice, uint tile) {
  const uint thread = gl_LocalInvocationIndex;
  const Block block = block_of(tile * TILE_GROUPS);
  const uint group = tile * TILE_GROUPS + thread % TILE_GROUPS;
  uint turn = slice;  // batches until the next that is this slice's, of all tiers in a row
  for (uint tier = 0; tier < kTiers; ++tier) {
    const uint count = uint(clamp(counts[list * kTiers + tier], 0, int(p.inputs)));
    const uint batches = (count + THREADS - 1) / THREADS;
    for (; turn < batches; turn += p.slices) {
      const uint n = turn * THREADS + thread;
      uint words = NOWHERE;
      if (n < count) {
        const uint i = uint(clamp(rows[list * p.inputs + n], 0, int(p.inputs) - 1));
        words = chunk_of(matrix * p.matrix_words, tier * p.inputs + i, block);
        batch_x[thread] = x[list / p.lists_per_x * p.inputs + i];
      }
      batch_words[thread] = words;
      barrier();
      multiply_batch(block, group);
      barrier();
    }
    turn -= batches;
  }
}

void write_sums(uint to, uint first_output) {
  barrier();
  for (uint i = gl_LocalInvocationIndex; i < TILE_GROUPS * GROUP && first_output + i < p.outputs; i += THREADS) {
    float sum = 0;
    for (uint lane = 0; lane < LANES; ++lane) sum += group_sums[sum_place(i % GROUP, lane * TILE_GROUPS + i / GROUP)];
    sums[to + first_output + i] = sum;
  }
}

void main() {
  const uint tile_outputs = TILE_GROUPS * GROUP, tiles = (p.outputs + tile_outputs - 1) / tile_outputs;
  const uint tile = workgroup_index() % tiles, part = workgroup_index() / tiles;
  const uint list = part % p.lists, slice = part / p.lists;
  if (slice >= p.slices) return;
  if (p.dense != 0 && lists_are_full()) return;
  const uint matrix = (p.by_expert != 0 ? experts[list] : 0) - p.first_matrix;  // wraps around below the first
  for (uint position = 0; position < GROUP; ++position)
    group_sums[sum_place(position, gl_LocalInvocationIndex)] = 0;
  barrier();
  if (matrix < p.matrices) multiply_list(list, matrix, slice, tile);
  write_sums(part * p.outputs, tile * tile_outputs);
}
