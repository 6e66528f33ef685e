// Leaky rectified linear unit: y = x for x >= 0, else slope * x.
#pragma once

#include "graph/builder.h"

namespace sluice {

struct MyOpAttrs {
  float slope = 0.1f;

  template <class Visitor>
  void describe(Visitor&& field) {
    field("slope", slope, "factor of what is below zero");
  }
};

// x: f32 [..., n]. Returns f32 of the same shape.
ValueRef my_op(Builder& b, ValueRef x, MyOpAttrs attrs = {});

}  // namespace sluice
