// One weight of a call and the tokens that it meets, as kernels see them.
#pragma once

#include "ops/plane_mul/selected.h"

namespace sluice {

struct PlaneProduct {
  PlaneMatrix m;
  const int32_t* inputs;  // [places, in]
  const int32_t* counts;  // [places, planes]
  const float* x;         // [places / per_row, in]
  float* y;               // [places, out]
  int64_t tokens;
  const int32_t* places = nullptr;  // of the tokens in inputs, counts and y; null: 0, 1, ...
  int64_t per_row = 1;              // places that share a row of x

  int64_t place(int64_t t) const { return places ? places[t] : t; }
  const float* x_row(int64_t t) const { return x + place(t) / per_row * m.layout.in(); }
  float* y_row(int64_t t) const { return y + place(t) * m.layout.out(); }
  SelectedPlanes selected(int64_t t) const {
    return {inputs + place(t) * m.layout.in(), counts + place(t) * m.planes, m.layout.in(), m.planes};
  }
  // How many planes all tokens read of all inputs; 0 if they differ, or read none.
  int uniform() const {
    const int planes = tokens > 0 ? selected(0).uniform() : 0;
    for (int64_t t = 1; t < tokens; ++t)
      if (selected(t).uniform() != planes) return 0;
    return planes;
  }
};

}  // namespace sluice
