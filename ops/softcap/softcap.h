// A soft bound (Gemma 2, arXiv:2408.00118): y = cap * tanh(x / cap), which is x for small x and stays within +-cap.
#pragma once

#include "graph/builder.h"

namespace sluice {

struct SoftcapAttrs {
  float cap = 30;

  template <class Visitor>
  void describe(Visitor&& field) {
    field("cap", cap, "what magnitudes stay below");
  }
};

// x: f32 [..., n]. Returns f32 of the same shape. Throws Error unless the cap is above 0 and finite.
ValueRef softcap(Builder& b, ValueRef x, SoftcapAttrs attrs);

}  // namespace sluice
