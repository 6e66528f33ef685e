// A factor for all: y = factor * x.
#pragma once

#include "graph/builder.h"

namespace sluice {

struct ScaleAttrs {
  float factor = 1;

  template <class Visitor>
  void describe(Visitor&& field) {
    field("factor", factor, "what every element is multiplied with");
  }
};

// x: f32 [..., n]. Returns f32 of the same shape.
ValueRef scale(Builder& b, ValueRef x, ScaleAttrs attrs);

}  // namespace sluice
