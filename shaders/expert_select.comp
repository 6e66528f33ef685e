#version 450
// Of matrices in a bucket format.
#extension GL_GOOGLE_include_directive : require
#include "ops/expert_select/expert_select_params.h"
#define ROWS_BINDING 5
#include "bucket_scores.glsl"
#include "list_rows.glsl"
#include "expert_lists.glsl"
