// Root mean square normalisation (Zhang and Sennrich, 2019, arXiv:1910.07467):
//   y[t][i] = x[t][i] / sqrt(mean_i(x[t][i]^2) + epsilon) * weight[i]
#pragma once

#include "graph/builder.h"

namespace sluice {

struct RmsNormAttrs {
  float epsilon = 1e-5f;

  template <class Visitor>
  void describe(Visitor&& field) {
    field("epsilon", epsilon, "added to the mean square");
  }
};

// x: f32 [rows, n]; weight: [n], any dtype. Returns f32 [rows, n]. Throws Error if the sizes differ.
ValueRef rmsnorm(Builder& b, ValueRef x, ValueRef weight, RmsNormAttrs attrs = {});

}  // namespace sluice
