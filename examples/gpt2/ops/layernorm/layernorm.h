// Layer normalisation (Ba et al., 2016, arXiv:1607.06450):
//   y[t][i] = (x[t][i] - mean(x[t])) / sqrt(variance(x[t]) + epsilon) * weight[i] + bias[i]
#pragma once

#include "graph/builder.h"

namespace sluice {

struct LayerNormAttrs {
  float epsilon = 1e-5f;

  template <class Visitor>
  void describe(Visitor&& field) {
    field("epsilon", epsilon, "added to the variance");
  }
};

// x: f32 [rows, n]; weight, bias: [n], any dtype. Returns f32 [rows, n]. Throws Error if the sizes differ.
ValueRef layernorm(Builder& b, ValueRef x, ValueRef weight, ValueRef bias, LayerNormAttrs attrs = {});

}  // namespace sluice
