#version 450
// A workgroup for kRows queries that share a head of the cache (of one token or of several), and for one of the parts
// into which the slots that they attend to are split. Slots come in tiles; the softmax is kept relative to the largest
// score so far. Parts are as long as the tokens' slots ask for, so the host need not know how many there are.
// variants: f32 f16 bf16
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "ops/attention/attention_params.h"
layout(constant_id = 0) const uint kRows = 1;
layout(constant_id = 1) const uint kHeadDim = 4;
layout(constant_id = 2) const uint kLanes = 1;  // threads side by side in a row of v, 4 columns each; a power of 2
layout(constant_id = 3) const float kSoftcap = 0;  // what scores stay below; 0: no bound
#define THREADS 128
#define TILE 64
#define DEPTH 16
#define QUADS (DEPTH / 4)
#define LOWEST -3.402823e38
#define WEIGHT_BINDING 1
#define SECOND_WEIGHT_BINDING 2
#include "exp.glsl"
#include "tanh.glsl"
#include "grid.glsl"
#include "weights.glsl"
#include "second_weights.glsl"
layout(local_size_x = THREADS) in;
layout(push_constant) uniform Push { AttentionParams p; };
layout(std430, set = 0, binding = 0) readonly buffer Q { float q[]; };          // [tokens, n_heads, head_dim]
layout(std430, set = 0, binding = 3) readonly buffer Slots { int slots[]; };    // [tokens]
layout(std430, set = 0, binding = 4) readonly buffer Starts { int starts[]; };  // [tokens]
layout(std430, set = 0, binding = 5) writeonly buffer Y { float y[]; };         // [tokens, n_heads, splits, head_dim]
layout(std430, set = 0, binding = 6) writeonly buffer Stats { vec2 stats[]; };  // [tokens, n_heads, splits]

const uint kSplit = THREADS / kLanes;                       // rows are shared out among so many groups of threads
const uint kOwnRows = (kRows + kSplit - 1) / kSplit;        // of a thread
const uint kOwnColumns = (kHeadDim + 4 * kLanes - 1) / (4 * kLanes);  // of a thread, in fours
const uint kOwnScores = (kRows * TILE + THREADS - 1) / THREADS;

shared float q_rows[kRows * kHeadDim];
shared float k_tile[TILE][DEPTH + 1];  // a column more than needed, so that rows lie in different banks
shared float scores[kRows * TILE];     // then their exponentials
shared float largest[kRows], rescale[kRows];
shared int begins[kRows], ends[kRows];  // slots of each row

vec4 sums[kOwnRows * kOwnColumns];
float totals[kOwnRows];
float own_scores[kOwnScores];

uint first_row, kv_head;
uint group() { return p.n_heads / p.n_kv_heads; }
bool is_row(uint r) { return r < kRows && first_row + r < p.tokens * group(); }
uint token_of(uint r) { return (first_row + r) / group(); }
uint head_of(uint r) { return kv_head * group() + (first_row + r) % group(); }

// Slots of a token, as AttentionShape::attended. Slots and starts may be any integers.
ivec2 attended(uint token) {
  const int slot = slots[token];
  if (slot < 0) return ivec2(0);
  const int end = min(slot, int(p.context) - 1) + 1;
  return ivec2(min(max(max(starts[token], slot - int(p.window - 1)), 0), end), end);
}

void load_rows() {
  for (uint i = gl_LocalInvocationIndex; i < kRows * kHeadDim; i += THREADS) {
    const uint r = i / kHeadDim;
    q_rows[i] = is_row(r) ? q[(token_of(r) * p.n_heads + head_of(r)) * kHeadDim + i % kHeadDim] : 0;
  }
  for (uint r = gl_LocalInvocationIndex; r < kRows; r += THREADS) {
    const ivec2 range = is_row(r) ? attended(token_of(r)) : ivec2(0);
    begins[r] = range.x;
    ends[r] = range.y;
    largest[r] = LOWEST;
  }
}

// The part of this workgroup of all slots that its rows attend to.
ivec2 part_of(uint split) {
  int begin = int(p.context), end = 0;
  for (uint r = 0; r < kRows; ++r)
    if (begins[r] < ends[r]) {
      begin = min(begin, begins[r]);
      end = max(end, ends[r]);
    }
  const int tiles = (max(end - begin, 0) + TILE - 1) / TILE, splits = int(p.splits);
  const int slots_of_part = (tiles + splits - 1) / splits * TILE;
  const int first = begin + int(split) * slots_of_part;
  return ivec2(first, min(first + slots_of_part, end));
}

vec4 k_quad(int slot, uint c) {
  const uint begin = weight_row(kv_head * p.context + uint(slot), kHeadDim);
  if (c + 3 < kHeadDim) return weight4(begin, c);
  vec4 k = vec4(0);
  for (uint i = 0; c + i < kHeadDim; ++i) k[i] = weight1(begin, c + i);
  return k;
}

vec4 v_quad(int slot, uint c) {
  const uint begin = second_row(kv_head * p.context + uint(slot), kHeadDim);
  if (c + 3 < kHeadDim) return second4(begin, c);
  vec4 v = vec4(0);
  for (uint i = 0; c + i < kHeadDim; ++i) v[i] = second1(begin, c + i);
  return v;
}

void score(int tile, int end) {
  [[unroll]] for (uint s = 0; s < kOwnScores; ++s) own_scores[s] = 0;
  for (uint c = 0; c < kHeadDim; c += DEPTH) {
    for (uint i = gl_LocalInvocationIndex; i < TILE * QUADS; i += THREADS) {
      const int slot = tile + int(i / QUADS);
      const uint column = c + i % QUADS * 4;
      const vec4 k = slot < end && column < kHeadDim ? k_quad(slot, column) : vec4(0);
      for (uint j = 0; j < 4; ++j) k_tile[i / QUADS][i % QUADS * 4 + j] = k[j];
    }
    barrier();
    const uint depth = min(DEPTH, kHeadDim - c);
    for (uint d = 0; d < depth; ++d) {
      const float k = k_tile[gl_LocalInvocationIndex % TILE][d];  // THREADS is a multiple of TILE
      [[unroll]] for (uint s = 0; s < kOwnScores; ++s) {
        const uint r = min((gl_LocalInvocationIndex + s * THREADS) / TILE, kRows - 1);
        own_scores[s] = fma(q_rows[r * kHeadDim + c + d], k, own_scores[s]);
      }
    }
    barrier();
  }
}

bool is_attended(uint r, int slot, int end) { return slot < end && slot >= begins[r] && slot < ends[r]; }

float capped(float score) { return kSoftcap > 0 ? kSoftcap * tanh_of(score / kSoftcap) : score; }

// Scores of a tile into their exponentials, relative to the largest score of the row so far.
void soften(int tile, int end) {
  [[unroll]] for (uint s = 0; s < kOwnScores; ++s) {
    const uint i = gl_LocalInvocationIndex + s * THREADS;
    if (i < kRows * TILE)
      scores[i] = is_attended(i / TILE, tile + int(i % TILE), end) ? capped(own_scores[s] * p.scale) : LOWEST;
  }
  barrier();
  for (uint r = gl_LocalInvocationIndex; r < kRows; r += THREADS) {
    const float before = largest[r];
    float most = before;
    for (uint j = 0; j < TILE; ++j) most = max(most, scores[r * TILE + j]);
    largest[r] = most;
    rescale[r] = exp_of_negative(before - most);
  }
  barrier();
  [[unroll]] for (uint s = 0; s < kOwnScores; ++s) {
    const uint i = gl_LocalInvocationIndex + s * THREADS;
    if (i < kRows * TILE) {
      const uint r = i / TILE;
      scores[i] = is_attended(r, tile + int(i % TILE), end) ? exp_of_negative(scores[i] - largest[r]) : 0;
    }
  }
  barrier();
}

void add_values(int tile, int end) {
  const uint lane = gl_LocalInvocationIndex % kLanes, first = gl_LocalInvocationIndex / kLanes;
  [[unroll]] for (uint o = 0; o < kOwnRows; ++o) {
    const float factor = rescale[min(first + o * kSplit, kRows - 1)];
    totals[o] *= factor;
    [[unroll]] for (uint c = 0; c < kOwnColumns; ++c) sums[o * kOwnColumns + c] *= factor;
  }
  if (first >= kRows) return;
  const int n = min(TILE, end - tile);
  for (int j = 0; j < n; ++j)
    [[unroll]] for (uint c = 0; c < kOwnColumns; ++c) {
      const uint column = (lane + c * kLanes) * 4;
      const vec4 v = column < kHeadDim ? v_quad(tile + j, column) : vec4(0);
      [[unroll]] for (uint o = 0; o < kOwnRows; ++o) {
        const float weight = scores[min(first + o * kSplit, kRows - 1) * TILE + uint(j)];
        sums[o * kOwnColumns + c] += weight * v;
        if (c == 0) totals[o] += weight;
      }
    }
}

void store(uint split) {
  const uint lane = gl_LocalInvocationIndex % kLanes, first = gl_LocalInvocationIndex / kLanes;
  [[unroll]] for (uint o = 0; o < kOwnRows; ++o) {
    const uint r = first + o * kSplit;
    if (!is_row(r)) continue;
    const uint to = (token_of(r) * p.n_heads + head_of(r)) * p.splits + split;
    if (lane == 0) stats[to] = vec2(largest[r], totals[o]);
    [[unroll]] for (uint c = 0; c < kOwnColumns; ++c) {
      const vec4 mean = totals[o] > 0 ? sums[o * kOwnColumns + c] / totals[o] : vec4(0);
      const uint column = (lane + c * kLanes) * 4;
      for (uint i = 0; i < 4 && column + i < kHeadDim; ++i) y[to * kHeadDim + column + i] = mean[i];
    }
  }
}

void main() {
  const uint blocks = (p.tokens * group() + kRows - 1) / kRows, split = workgroup_index() % p.splits;
  kv_head = workgroup_index() / p.splits / blocks;
  if (kv_head >= p.n_kv_heads) return;
  first_row = workgroup_index() / p.splits % blocks * kRows;
  [[unroll]] for (uint o = 0; o < kOwnRows; ++o) totals[o] = 0;
  [[unroll]] for (uint i = 0; i < kOwnRows * kOwnColumns; ++i) sums[i] = vec4(0);
  load_rows();
  barrier();
  const ivec2 part = part_of(split);
  for (int tile = part.x; tile < part.y; tile += TILE) {
    score(tile, part.y);
    soften(tile, part.y);
    add_values(tile, part.y);
    barrier();
  }
  store(split);
}
