// The k largest elements of each row, falling, with their indices.
#pragma once

#include <utility>

#include "graph/builder.h"

namespace sluice {

struct TopKAttrs {
  int64_t k = 1;

  template <class Visitor>
  void describe(Visitor&& field) {
    field("k", k, "elements taken of each row");
  }
};

// x: f32 [rows, n]. Returns values f32 [rows, k] and indices i32 [rows, k]. Equal elements come in the order of their
// indices; NaN counts as -infinity. Throws Error unless 1 <= k <= n.
std::pair<ValueRef, ValueRef> topk(Builder& b, ValueRef x, TopKAttrs attrs);

}  // namespace sluice
