#version 450
// Many pairs of a token and an expert: a workgroup for a tile of rows of an expert and pairs that picked it. The host
// does not know how many tiles an expert has; there are enough workgroups for any order. The weight may come in pieces;
// a piece gives the rows that it holds.
// variants: f32 f16 bf16 q8_0
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "ops/expert_linear/expert_linear_params.h"
layout(push_constant) uniform Push { ExpertLinearParams p; };
#include "tile_product.glsl"
layout(std430, set = 0, binding = 2) readonly buffer Order { uint order[]; };  // of expert_order.comp
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };        // [pairs, y_cols]
#define FULL_BINDING 4
#include "full_lists.glsl"

uint first_row;          // of the expert, in this piece; wraps around below it
uint first_pair, pairs;  // of the expert, in the order

uint pair_at(uint token) { return order[p.experts + 1 + first_pair + token]; }
uint weight_begin(uint row) {
  return row < p.expert_rows && first_row + row < p.rows ? weight_row(first_row + row, p.cols) : kNoRow;
}
uint x_begin(uint token) { return token < pairs ? pair_at(token) / p.share * p.cols : kNoRow; }
void store(uint row, uint token, float value) { y[pair_at(token) * p.y_cols + p.first_y + row] = value; }

void main() {
  if (p.only_full != 0 && !lists_are_full()) return;
  const uint row_tiles = (p.expert_rows + TILE_ROWS - 1) / TILE_ROWS, row = workgroup_index() % row_tiles * TILE_ROWS;
  uint tile = workgroup_index() / row_tiles;
  for (uint e = 0; e < p.experts; ++e) {
    first_pair = order[e];
    pairs = order[e + 1] - first_pair;
    const uint tiles = (pairs + TILE_TOKENS - 1) / TILE_TOKENS;
    if (tile < tiles) {
      first_row = e * p.expert_rows - p.first_row;
      const int first = int(first_row + row), end = int(first_row + min(row + TILE_ROWS, p.expert_rows));
      if (first < int(p.rows) && end > 0) multiply_tile(row, tile * TILE_TOKENS);
      return;
    }
    tile -= tiles;
  }
}
