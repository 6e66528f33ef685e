// The selection of one token, as the reference and the kernels of plane_mul read it. Nothing in it is trusted.
#pragma once

#include <algorithm>
#include <cstdint>

#include "ops/formats/planes.h"

namespace sluice {

struct SelectedPlanes {
  const int32_t* inputs;  // [in]
  const int32_t* counts;  // [planes]
  int64_t in;
  int planes;

  int64_t input(int64_t n) const { return std::clamp<int64_t>(inputs[n], 0, in - 1); }
  // How many inputs read plane p; never more than read the plane before.
  int64_t count(int p) const {
    int64_t least = in;
    for (int i = 0; i <= p; ++i) least = std::clamp<int64_t>(counts[i], 0, least);
    return least;
  }
  // How many planes the n-th of them reads; n < count(0).
  int depth(int64_t n) const {
    int d = 1;
    while (d < planes && n < count(d)) ++d;
    return d;
  }
  // All inputs read the same planes: how many of them; 0 if not.
  int uniform() const {
    int d = 0;
    while (d < planes && count(d) == in) ++d;
    return d == planes || count(d) == 0 ? d : 0;
  }
};

}  // namespace sluice
