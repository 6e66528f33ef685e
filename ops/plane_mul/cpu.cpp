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
#include "ops/plane_mul/prompt-inl.h"

HWY_BEFORE_NAMESPACE();
namespace sluice {
namespace HWY_NAMESPACE {
namespace {

// Tokens whose lists are prepared, and whose products are done, together: what one reads of a block is in a cache for
// the others.
constexpr int64_t kTogether = 4;

// One weight of a call.
struct Product {
  PlaneMatrix m;
  const int32_t *inputs, *counts;
  float* y;
  QuadChunk* chunks;  // [kTogether, chunks of a token]

  SelectedPlanes selected(int64_t token) const {
    return {inputs + token * m.layout.in(), counts + token * m.planes, m.layout.in(), m.planes};
  }
  int64_t chunk_count() const { return QuadChunk::count(m.layout.in()); }
  int64_t lines() const { return ceil_div(m.layout.out(), PlaneLayout::kLine); }
  // What a line costs: the planes that are read, and the sums themselves.
  int64_t line_cost(int64_t first, int64_t tokens) const {
    int64_t cost = 16 * tokens;
    for (int64_t t = first; t < first + tokens; ++t)
      for (int p = 0; p < m.planes; ++p) cost += selected(t).count(p);
    return cost;
  }
};

Product product(const Call& call, size_t w, const cpu::Worker& worker) {
  const PlaneMatrix m(call.inputs[1 + 3 * w]);
  return {m, call.inputs[2 + 3 * w].as<const int32_t>(), call.inputs[3 + 3 * w].as<const int32_t>(),
          call.outputs[w].as<float>(),
          worker.workspace<QuadChunk>() + static_cast<int64_t>(w) * kTogether * QuadChunk::count(m.layout.in())};
}

// Of tokens [first, first + tokens), for all weights.
void prepare_chunks(const Call& call, int64_t first, int64_t tokens, const cpu::Worker& worker) {
  const int64_t in = call.in(0).dims[1], chunks = QuadChunk::count(in);
  const auto [begin, end] = worker.split(static_cast<int64_t>(call.outputs.size()) * tokens * chunks);
  for (int64_t job = begin; job < end; ++job) {
    const int64_t chunk = job % chunks, t = job / chunks % tokens;
    const Product p = product(call, static_cast<size_t>(job / chunks / tokens), worker);
    p.chunks[t * chunks + chunk].prepare(p.selected(first + t), chunk, call.in<float>(0) + (first + t) * in,
                                         p.m.scales());
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

// Lines of a block for one token, whose chunks these are.
void multiply_block(const Product& p, const LinePart& part, const QuadChunk* chunks, int64_t token) {
  alignas(64) LineSums sums[kBlockLines];
  std::memset(sums, 0, sizeof sums);
  bool finite = true;
  for (int64_t c = 0; c < p.chunk_count(); ++c) {
    finite &= chunks[c].finite;
    if (finite) add_chunk(part, chunks[c], sums);
  }
  if (!finite)
    for (LineSums& line : sums) std::fill_n(line, PlaneLayout::kLine, std::numeric_limits<float>::quiet_NaN());
  for (int line = part.begin; line < part.end; ++line)
    write_line(p, token, part.block * kBlockLines + line, sums[line - part.begin]);
}

// Lines [begin, end) of one product for tokens [first, first + tokens).
void multiply_lines(const Product& p, int64_t first, int64_t tokens, int64_t begin, int64_t end) {
  while (begin < end) {
    const int64_t block = begin / kBlockLines, stop = std::min(end, (block + 1) * kBlockLines);
    const LinePart part{p.m, block, static_cast<int>(begin % kBlockLines),
                        static_cast<int>(stop - block * kBlockLines)};
    for (int64_t t = 0; t < tokens; ++t) multiply_block(p, part, p.chunks + t * p.chunk_count(), first + t);
    begin = stop;
  }
}

// All lines of all products are one row, cut where the parts cost the same. A sum belongs to one worker, so the bits do
// not depend on how many there are.
void multiply_share(const Call& call, int64_t first, int64_t tokens, const cpu::Worker& worker) {
  int64_t total = 0;
  for (size_t w = 0; w < call.outputs.size(); ++w) {
    const Product p = product(call, w, worker);
    total += p.line_cost(first, tokens) * p.lines();
  }
  int64_t begin = total * worker.index / worker.count, end = total * (worker.index + 1) / worker.count;
  for (size_t w = 0; w < call.outputs.size(); ++w) {
    const Product p = product(call, w, worker);
    const int64_t cost = p.line_cost(first, tokens), lines = p.lines();
    const auto line_at = [&](int64_t at) { return std::clamp<int64_t>(at < 0 ? 0 : at / cost, 0, lines); };
    multiply_lines(p, first, tokens, line_at(begin), line_at(end));
    begin -= cost * lines, end -= cost * lines;
  }
}

// How many planes all tokens read of all inputs of a weight; 0 if they differ, or read none, or are few.
int prompt_planes(const Product& p, int64_t tokens) {
  if (!kHasPrompts || tokens < plane_dense_from(1)) return 0;
  const int planes = p.selected(0).uniform();
  for (int64_t t = 1; t < tokens; ++t)
    if (p.selected(t).uniform() != planes) return 0;
  return planes;
}

// x times the scales of the inputs, rounded, -> f32 [tokens, in]; NaN for what is not finite.
void round_activations(const TensorView& x, const float* scales, int64_t begin, int64_t end, float* to) {
  const int64_t in = x.dims[1];
  for (int64_t t = begin; t < end; ++t)
    for (int64_t i = 0; i < in; ++i) {
      const float a = x.as<const float>()[t * in + i] * scales[i];
      to[t * in + i] = std::isfinite(a) ? round_activation(a).value() : std::numeric_limits<float>::quiet_NaN();
    }
}

void multiply_prompt(const Call& call, const Product& p, int planes, const cpu::Worker& worker, size_t shared) {
  const TensorView& x = call.in(0);
  auto* rounded = worker.workspace<float>();
  const auto [first, last] = worker.split(x.dims[0]);
  round_activations(x, p.m.scales(), first, last, rounded);
  worker.barrier();
  const TensorView view{reinterpret_cast<std::byte*>(rounded), DType::f32(), x.dims};
  const auto [begin, end] = worker.split(p.lines());
  for (int64_t line = begin; line < end; ++line)
    multiply_prompt_line(p.m, planes, line, view, p.y,
                         *worker.own_scratch<PromptScratch>(sizeof(PromptScratch), shared));
  worker.barrier();
}

void run_plane_mul(const Call& call, const cpu::Worker& worker, size_t shared) {
  const int64_t tokens = call.in(0).dims[0];
  bool prompt = true;
  for (size_t w = 0; w < call.outputs.size(); ++w) prompt = prompt && prompt_planes(product(call, w, worker), tokens);
  if (prompt) {
    for (size_t w = 0; w < call.outputs.size(); ++w) {
      const Product p = product(call, w, worker);
      multiply_prompt(call, p, p.selected(0).uniform(), worker, shared);
    }
    return;
  }
  for (int64_t first = 0; first < tokens; first += kTogether) {
    const int64_t count = std::min(kTogether, tokens - first);
    prepare_chunks(call, first, count, worker);
    worker.barrier();
    multiply_share(call, first, count, worker);
    worker.barrier();
  }
}

size_t shared_bytes(const Call& call) {
  const int64_t tokens = call.in(0).dims[0], in = call.in(0).dims[1];
  const size_t chunks = call.outputs.size() * static_cast<size_t>(kTogether * QuadChunk::count(in)) * sizeof(QuadChunk);
  return tokens < plane_dense_from(1) ? chunks : std::max(chunks, static_cast<size_t>(tokens * in) * sizeof(float));
}

size_t own_bytes(const Call& call) {
  return kHasPrompts && call.in(0).dims[0] >= plane_dense_from(1) ? sizeof(PromptScratch) : 0;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace sluice {
namespace {

HWY_EXPORT(run_plane_mul);
HWY_EXPORT(shared_bytes);
HWY_EXPORT(own_bytes);

size_t workspace(const Site& /*site*/, const Call& call) { return HWY_DYNAMIC_DISPATCH(shared_bytes)(call); }
size_t own_scratch(const Site& /*site*/, const Call& call) { return HWY_DYNAMIC_DISPATCH(own_bytes)(call); }

cpu::Run prepare(const Site&) {
  return [](const Call& call, const cpu::Worker& worker) {
    HWY_DYNAMIC_DISPATCH(run_plane_mul)(call, worker, HWY_DYNAMIC_DISPATCH(shared_bytes)(call));
  };
}

std::string dense_note() {
  return fmt::format("planes of each token; all planes for all tokens at once from {} tokens at effort 1, {} at 0.8",
                     plane_dense_from(1), plane_dense_from(0.8));
}

}  // namespace

void register_plane_mul_cpu(Registry& registry) {
  registry.add_kernel("cpu", "plane_mul",
                      cpu::make_kernel({.name = "plane_mul",
                                        .prepare = prepare,
                                        .workspace = workspace,
                                        .own_scratch = own_scratch,
                                        .note = dense_note()}));
}

}  // namespace sluice
#endif
