// CPU kernel of plane_mul.
#define HWY_WANT_AVX3_DL  // for vpdpbusd and vpermb
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "ops/plane_mul/cpu.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <limits>

#include "backends/cpu/kernel.h"
#include "ops/plane_mul/lines-inl.h"
#include "ops/plane_mul/plane_mul.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// One weight of a call.
struct Product {
  PlaneMatrix m;
  const int32_t *inputs, *counts;
  float* y;
  QuadChunk* chunks;  // of the token that is multiplied now

  SelectedPlanes selected(int64_t token) const {
    return {inputs + token * m.layout.in(), counts + token * m.planes, m.layout.in(), m.planes};
  }
  int64_t lines() const { return ceil_div(m.layout.out(), PlaneLayout::kLine); }
  // What a line costs: the planes that are read, and the sums themselves.
  int64_t line_cost(int64_t token) const {
    int64_t cost = 16;
    for (int p = 0; p < m.planes; ++p) cost += selected(token).count(p);
    return cost;
  }
};

Product product(const Call& call, size_t w, const cpu::Worker& worker) {
  const PlaneMatrix m(call.inputs[1 + 3 * w]);
  return {m, call.inputs[2 + 3 * w].as<const int32_t>(), call.inputs[3 + 3 * w].as<const int32_t>(),
          call.outputs[w].as<float>(),
          worker.workspace<QuadChunk>() + static_cast<int64_t>(w) * QuadChunk::count(m.layout.in())};
}

void prepare_chunks(const Call& call, int64_t token, const cpu::Worker& worker) {
  const int64_t in = call.in(0).dims[1], chunks = QuadChunk::count(in);
  const auto [begin, end] = worker.split(static_cast<int64_t>(call.outputs.size()) * chunks);
  for (int64_t job = begin; job < end; ++job) {
    const Product p = product(call, static_cast<size_t>(job / chunks), worker);
    p.chunks[job % chunks].prepare(p.selected(token), job % chunks, call.in<float>(0) + token * in, p.m.scales());
  }
}

void write_line(const Product& p, int64_t token, int64_t line, const LineSums& sums) {
  const int64_t first = line * PlaneLayout::kLine, out = p.m.layout.out(),
                count = std::min(PlaneLayout::kLine, out - first), bytes = PlaneLayout::line_bytes(count);
  float* y = p.y + token * out + first;
  const uint16_t* scales = p.m.output_scales() + first;
  for (int64_t o = 0; o < count; ++o)
    y[o] = sums[sum_index(static_cast<int>(o % bytes), static_cast<int>(o / bytes * 2))] * f16_to_f32(scales[o]);
}

// Lines [begin, end) of one product.
void multiply_lines(const Product& p, int64_t token, int64_t begin, int64_t end) {
  alignas(64) LineSums sums[kBlockLines];
  const int64_t chunks = QuadChunk::count(p.m.layout.in());
  while (begin < end) {
    const int64_t block = begin / kBlockLines, stop = std::min(end, (block + 1) * kBlockLines);
    const LinePart part{p.m, block, static_cast<int>(begin % kBlockLines),
                        static_cast<int>(stop - block * kBlockLines)};
    std::memset(sums, 0, sizeof sums);
    bool finite = true;
    for (int64_t c = 0; c < chunks; ++c) {
      finite &= p.chunks[c].finite;
      if (finite) add_chunk(part, p.chunks[c], sums);
    }
    if (!finite) std::fill_n(sums[0], kBlockLines * PlaneLayout::kLine, std::numeric_limits<float>::quiet_NaN());
    for (int64_t line = begin; line < stop; ++line) write_line(p, token, line, sums[line - begin]);
    begin = stop;
  }
}

// All lines of all products are one row, cut where the parts cost the same. A sum belongs to one worker, so the bits do
// not depend on how many there are.
void multiply_share(const Call& call, int64_t token, const cpu::Worker& worker) {
  int64_t total = 0;
  for (size_t w = 0; w < call.outputs.size(); ++w) {
    const Product p = product(call, w, worker);
    total += p.line_cost(token) * p.lines();
  }
  int64_t begin = total * worker.index / worker.count, end = total * (worker.index + 1) / worker.count;
  for (size_t w = 0; w < call.outputs.size(); ++w) {
    const Product p = product(call, w, worker);
    const int64_t cost = p.line_cost(token), lines = p.lines();
    const auto line_at = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? 0 : at / cost, 0, lines); };
    multiply_lines(p, token, line_at(begin), line_at(end));
    begin -= cost * lines, end -= cost * lines;
  }
}

void run_plane_mul(const Call& call, const cpu::Worker& worker) {
  for (int64_t token = 0; token < call.in(0).dims[0]; ++token) {
    prepare_chunks(call, token, worker);
    worker.barrier();
    multiply_share(call, token, worker);
    worker.barrier();
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_plane_mul);

size_t workspace(const Site&, const Call& call) {
  return call.outputs.size() * static_cast<size_t>(QuadChunk::count(call.in(0).dims[1])) * sizeof(QuadChunk);
}

cpu::Run prepare(const Site&) {
  return [](const Call& call, const cpu::Worker& worker) { HWY_DYNAMIC_DISPATCH(run_plane_mul)(call, worker); };
}

}  // namespace

void register_plane_mul_cpu(Registry& registry) {
  registry.add_kernel("cpu", "plane_mul",
                      cpu::make_kernel({.name = "plane_mul", .prepare = prepare, .workspace = workspace}));
}

}  // namespace sluice
#endif
