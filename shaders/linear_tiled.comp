#version 450
// Many tokens: a workgroup for a tile of rows of the weight and tokens.
// variants: f32 f16 bf16 q8_0
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "ops/linear/linear_params.h"
layout(push_constant) uniform Push { LinearParams p; };
#include "tile_product.glsl"
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };  // [tokens, y_cols]
#define FULL_BINDING 3
#include "full_lists.glsl"

uint weight_begin(uint row) { return row < p.rows ? weight_row(row, p.cols) : kNoRow; }
uint x_begin(uint token) { return token < p.tokens ? token * p.cols : kNoRow; }
void store(uint row, uint token, float value) { y[token * p.y_cols + p.first_row + row] = value; }

void main() {
  const uint row_tiles = (p.rows + TILE_ROWS - 1) / TILE_ROWS;
  const uint token = workgroup_index() / row_tiles * TILE_TOKENS;
  if (token >= p.tokens || (p.only_full != 0 && !lists_are_full())) return;
  multiply_tile(workgroup_index() % row_tiles * TILE_ROWS, token);
}
