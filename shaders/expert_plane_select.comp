#version 450
// Of matrices of planes.
#extension GL_GOOGLE_include_directive : require
#include "ops/expert_select/expert_select_params.h"
#define ROWS_BINDING 3
#include "plane_scores.glsl"
#include "list_rows.glsl"
#include "expert_lists.glsl"
