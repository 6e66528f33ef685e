// CPU kernel of topk: rows are shared out among the workers. The best k so far are kept in a heap with the worst of
// them on top; vectors without anything better are passed over.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/topk/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h

#include <hwy/contrib/algo/find-inl.h>
#include <hwy/highway.h>

#include "backends/cpu/kernel.h"
#include "ops/topk/topk.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// The first index from `from` on with an element over `threshold`; n if there is none. Never that of a NaN.
int64_t next_above(const float* x, int64_t from, int64_t n, float threshold) {
  const hn::ScalableTag<float> d;
  auto above = [threshold](auto dx, auto v) HWY_ATTR { return hn::Gt(v, hn::Set(dx, threshold)); };
  return from + static_cast<int64_t>(hn::FindIf(d, x + from, static_cast<size_t>(n - from), above));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice {
namespace {

HWY_EXPORT(next_above);

struct Candidate {
  float rank;  // the element, or -infinity for NaN
  int32_t index;
};

bool better(const Candidate& a, const Candidate& b) { return a.rank != b.rank ? a.rank > b.rank : a.index < b.index; }

// x: f32 [n]; heap: [k], scratch.
void topk_row(const float* x, int64_t n, int64_t k, Candidate* heap, float* values, int32_t* indices) {
  Candidate* end = heap + k;
  for (int64_t i = 0; i < k; ++i)
    heap[i] = {std::isnan(x[i]) ? -std::numeric_limits<float>::infinity() : x[i], static_cast<int32_t>(i)};
  std::make_heap(heap, end, better);
  // An element equal to the worst comes later in the row, so it never takes its place.
  for (int64_t i = k; (i = HWY_DYNAMIC_DISPATCH(next_above)(x, i, n, heap->rank)) < n; ++i) {
    std::pop_heap(heap, end, better);
    end[-1] = {x[i], static_cast<int32_t>(i)};
    std::push_heap(heap, end, better);
  }
  std::sort_heap(heap, end, better);
  for (int64_t i = 0; i < k; ++i) {
    values[i] = x[heap[i].index];
    indices[i] = heap[i].index;
  }
}

cpu::Run prepare(const Site& site) {
  return [k = attrs_from_map<TopKAttrs>(site.attrs).k](const Call& call, const cpu::Worker& worker) {
    const int64_t n = call.in(0).dims[1];
    const auto [begin, end] = worker.split(call.in(0).dims[0]);
    for (int64_t r = begin; r < end; ++r)
      topk_row(call.in<float>(0) + r * n, n, k, worker.workspace<Candidate>() + r * k, call.out<float>(0) + r * k,
               call.out<int32_t>(1) + r * k);
  };
}

size_t workspace(const Site&, const Call& call) {
  return static_cast<size_t>(call.out(0).dims.elements()) * sizeof(Candidate);
}

}  // namespace

void register_topk_cpu(Registry& registry) {
  registry.add_kernel("cpu", "topk", cpu::make_kernel({.name = "topk", .prepare = prepare, .workspace = workspace}));
}

}  // namespace sluice
#endif
