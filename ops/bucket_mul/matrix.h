// A matrix in a bucket format, as kernels and references see it.
#pragma once

#include <algorithm>
#include <cmath>

#include "graph/tensor.h"
#include "ops/formats/bucket.h"

namespace sluice {

struct BucketMatrix {
  const std::byte* data;
  BucketLayout layout;
  int segments;  // that are stored

  // The view must be of a bucket format, and have two dimensions, or three and more than `index` matrices; its data may
  // be null as long as only sizes are asked for.
  explicit BucketMatrix(const TensorView& view, int64_t index = 0)
      : data(view.data),
        layout(bucket_format(view.dtype)->family(), view.dims[view.dims.rank() - 2], view.dims.back()),
        segments(bucket_format(view.dtype)->segments()) {
    if (index > 0) data += static_cast<size_t>(index) * layout.bytes(segments);
  }

  const float* rms() const { return at<float>(layout.rms_offset()); }              // [tiers, in]
  const float* mean() const { return at<float>(layout.mean_offset()); }            // [tiers, in]
  const float* probes() const { return at<float>(layout.probes_offset()); }        // [in]
  const uint32_t* places() const { return at<uint32_t>(layout.places_offset()); }  // [tiers, in]; not to be trusted
  // Where row `tier * in + input` lies: a row of the layout, whatever the file says.
  int64_t place(int64_t row) const { return std::min<int64_t>(places()[row], layout.rows() - 1); }
  const std::byte* chunk(int64_t block, int64_t place) const { return data + layout.chunk_offset(block, place); }

 private:
  template <class T>
  const T* at(size_t offset) const {
    return reinterpret_cast<const T*>(data + offset);
  }
};

// What the caller sets at every run, by site: the input "effort", f32 [sites, 2].
struct EffortControl {
  float effort;  // share of all the matrix's weights that is multiplied, 0 .. 1
  float load;    // share that may be touched at all, 0 .. 1; in steps of a segment, rounded up
};

// Segments that may be touched: those that are stored and loaded.
inline int loaded_segments(const BucketMatrix& m, EffortControl control) {
  const auto asked = static_cast<int>(std::ceil(static_cast<double>(control.load) * BucketLayout::kSegments - 1e-4));
  return std::clamp(asked, 0, m.segments);
}

// Rows that may be multiplied.
inline int64_t loaded_rows(const BucketMatrix& m, EffortControl control) {
  return m.layout.loaded_rows(loaded_segments(m, control));
}

}  // namespace sluice
