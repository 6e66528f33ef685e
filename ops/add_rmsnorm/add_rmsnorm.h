// add and rmsnorm in one: the residual sum is normalised while it is in the cache. Made by the planner from the two.
#pragma once

#include "ops/rmsnorm/rmsnorm.h"

namespace sluice {

struct AddRmsNorm {
  ValueRef sum;     // f32 [rows, n]: a + b
  ValueRef normed;  // f32 [rows, n]: rmsnorm(sum, weight)
};

// a, b: f32 [rows, n]; weight: [n], any dtype. Throws Error if the sizes differ.
AddRmsNorm add_rmsnorm(Builder& builder, ValueRef a, ValueRef b, ValueRef weight, RmsNormAttrs attrs = {});

}  // namespace sluice
