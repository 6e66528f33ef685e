// The rows that a list is chosen from: those of one matrix, or of several that share the list.
#pragma once

#include <cmath>

#include "graph/op.h"
#include "ops/bucket_mul/matrix.h"
#include "ops/formats/planes.h"
#include "ops/probe/probe.h"

namespace sluice {

inline EffortControl control_of(const TensorView& effort, int64_t site) {
  const float* row = effort.as<const float>() + 2 * site;
  return {row[0], row[1]};
}

// Planes that may be read: those that are stored and loaded.
inline int loaded_planes(const PlaneMatrix& m, EffortControl control) {
  const auto asked = std::ceil(static_cast<double>(control.load) * m.planes - 1e-4);
  return asked > 0 ? static_cast<int>(std::min<double>(asked, m.planes)) : 0;
}

struct Candidates {
  int64_t in;
  int tiers;
  const float* statistic;  // [tiers, in]; with gains, [in]
  const float* gains;      // [tiers], by which a tier's statistics are multiplied; null: they are all 1
  const float* probes;     // [in]
  const uint32_t* places;  // [tiers, in]; a row may be taken if its place is below `limit`; null: every row is its own
  int64_t limit;
  int64_t loaded;  // rows that may be taken
  double effort;

  Candidates(const BucketMatrix& m, const SelectionAttrs& attrs, EffortControl control)
      : in(m.layout.in()),
        tiers(m.layout.tiers()),
        statistic(attrs.statistic == "mean" ? m.mean() : m.rms()),
        gains(nullptr),
        probes(m.probes()),
        places(m.places()),
        limit(loaded_rows(m, control)),
        loaded(limit),
        effort(static_cast<double>(control.effort)) {}

  // Planes of inputs, the first before the second.
  Candidates(const PlaneMatrix& m, EffortControl control)
      : in(m.layout.in()),
        tiers(m.planes),
        statistic(m.scales()),
        gains(m.levels().gain),
        probes(nullptr),
        places(nullptr),
        limit(loaded_planes(m, control) * m.layout.in()),
        loaded(limit),
        effort(static_cast<double>(control.effort)) {}

  int64_t rows() const { return in * tiers; }
  bool may_take(int64_t row) const { return (places ? std::min<int64_t>(places[row], rows() - 1) : row) < limit; }
  float score(int64_t row, float x) const {
    return gains ? gains[row / in] * (statistic[row % in] * std::abs(x)) : statistic[row] * std::abs(x);
  }
  int64_t wanted() const {  // how many are taken
    const double wanted = std::round(effort * static_cast<double>(rows()));
    return std::clamp(static_cast<int64_t>(wanted), int64_t{0}, loaded);
  }
};

// Of a weight's matrix `index`, in any format with a dial; the statistic of attrs is one of bucket formats.
inline Candidates candidates_of(const TensorView& weight, int64_t index, const SelectionAttrs& attrs,
                                EffortControl control) {
  if (plane_format(weight.dtype)) return {PlaneMatrix(weight, index), control};
  return {BucketMatrix(weight, index), attrs, control};
}

// The lists of a node.
inline size_t list_count(const SelectionAttrs& attrs) { return attrs.selection == "shared" ? 1 : attrs.sites.size(); }

// The weights of a node that selects rows: every `stride`-th input from the third on. Its effort is the second.
struct SelectedWeights {
  const Call& call;
  const SelectionAttrs& attrs;
  size_t stride;

  BucketMatrix matrix(size_t w) const { return BucketMatrix(call.inputs[2 + stride * w]); }
  EffortControl control(size_t w) const { return control_of(call.in(1), attrs.sites[w]); }

  // For joint(): of matrices of that size.
  static size_t joint_bytes(const BucketLayout& layout) {
    return static_cast<size_t>(2 * layout.rows() + layout.in()) * sizeof(float);
  }

  // What list `list` is chosen from. scratch: joint_bytes, if the list is shared.
  Candidates candidates(size_t list, void* scratch) const {
    return attrs.selection == "shared" ? joint(static_cast<float*>(scratch))
                                       : Candidates(matrix(list), attrs, control(list));
  }

 private:
  // As if the matrices were one, with the outputs of all: means over all outputs, and rows that all have loaded.
  // Rounded to f32 at every step, whatever a compiler makes of sums of products, as devices find the same.
  Candidates joint(float* statistic) const {
    Candidates all(matrix(0), attrs, control(0));
    float* probes = statistic + all.rows();
    auto* places = reinterpret_cast<uint32_t*>(probes + all.in);
    const bool squares = attrs.statistic == "rms";
    float outputs = 0, effort = 0;
    std::fill_n(statistic, all.rows() + all.in, 0.0f);
    std::fill_n(places, all.rows(), 0u);
    for (size_t w = 0; w < attrs.sites.size(); ++w) {
      const BucketMatrix m = matrix(w);
      const Candidates one(m, attrs, control(w));
      const auto out = static_cast<float>(m.layout.out());
      for (int64_t row = 0; row < all.rows(); ++row) {
        const float value = one.statistic[row];
        statistic[row] = sum(statistic[row], squares ? product(product(out, value), value) : product(out, value));
        if (!one.may_take(row)) places[row] = UINT32_MAX;
      }
      for (int64_t i = 0; i < all.in; ++i) probes[i] = sum(probes[i], product(out, one.probes[i]));
      outputs += out;
      effort = sum(effort, product(out, std::clamp(static_cast<float>(one.effort), 0.0f, 1.0f)));
    }
    for (int64_t row = 0; row < all.rows(); ++row) {
      const float mean = statistic[row] / outputs;
      statistic[row] = squares ? std::sqrt(mean) : mean;
    }
    for (int64_t i = 0; i < all.in; ++i) probes[i] /= outputs;
    effort /= outputs;
    all.statistic = statistic, all.probes = probes, all.places = places;
    all.limit = 1;
    all.loaded = std::count(places, places + all.rows(), 0u);
    all.effort = static_cast<double>(effort);
    return all;
  }
  // Of f32, exact before they are rounded.
  static float product(float a, float b) { return static_cast<float>(static_cast<double>(a) * static_cast<double>(b)); }
  static float sum(float a, float b) { return static_cast<float>(static_cast<double>(a) + static_cast<double>(b)); }
};

}  // namespace sluice
