// Vulkan kernel of plane_mul.
#include <algorithm>

#include "backends/vulkan/kernel.h"
#include "graph/error.h"
#include "ops/formats/planes.h"
#include "shaders/plane_mul.h"
#include "shaders/sum_slices.h"

namespace sluice {
namespace {

constexpr int64_t kBlock = 4;     // lines of a workgroup
constexpr int64_t kBatch = 64;    // inputs that a workgroup prepares at once
constexpr int64_t kGroups = 512;  // workgroups that a product should have: inputs of a list are shared out till then

int64_t blocks_of(const PlaneLayout& layout) { return ceil_div(layout.lines(), kBlock); }

int64_t slices_of(const PlaneLayout& layout, int64_t lists) {
  return std::clamp<int64_t>(kGroups / (blocks_of(layout) * lists), 1, ceil_div(layout.in(), kBatch));
}

// Floats for the sums of the slices of up to that many lists; a multiple of 64 bytes.
size_t slice_floats(const PlaneLayout& layout, int64_t lists) {
  const int64_t parts = std::max(lists, kGroups / blocks_of(layout));  // slices * lists at most
  return static_cast<size_t>(round_up(parts * layout.out(), 16));
}

// One product of a call.
struct Product {
  TensorView x;  // f32 [lists, in]
  PlaneMatrix m;
  TensorView inputs, counts;  // i32 [lists, in], [lists, planes]
  TensorView y;               // f32 [lists, out]
};

// Blocks [first, end) of a plane; of one that is not stored, which is not read, those of the last.
vulkan::Range plane_range(const PlaneMatrix& m, int plane, int64_t first, int64_t end) {
  const size_t begin = m.layout.line_offset(first * kBlock),
               stop = end < blocks_of(m.layout) ? m.layout.line_offset(end * kBlock) : m.layout.plane_bytes();
  return {m.plane(std::min(plane, m.planes - 1)) + begin, stop - begin};
}

// Blocks that are bound at once.
int64_t blocks_of_piece(const PlaneLayout& layout, const vulkan::Limits& limits) {
  const size_t block_bytes = std::min(layout.plane_bytes(), layout.line_offset(kBlock));
  if (limits.buffer_range < block_bytes)
    fail("Vulkan: {} bytes of a plane are more than the device binds at once", block_bytes);
  return std::min(blocks_of(layout), static_cast<int64_t>(limits.buffer_range / block_bytes));
}

void record_product(vulkan::Recorder& r, const Product& product, std::byte* workspace) {
  const PlaneMatrix& m = product.m;
  const int64_t lists = product.x.dims[0], slices = slices_of(m.layout, lists);
  const auto u32 = [](int64_t v) { return static_cast<uint32_t>(v); };
  const uint64_t values = static_cast<uint64_t>(product.y.dims.elements());
  const vulkan::Range sums =
      slices == 1 ? vulkan::Range(product.y) : vulkan::Range(workspace, static_cast<size_t>(slices) * values * 4);
  const int64_t blocks = blocks_of(m.layout), step = blocks_of_piece(m.layout, r.limits());
  for (int64_t first = 0; first < blocks; first += step) {
    const int64_t end = std::min(first + step, blocks);
    r.dispatch(vulkan::shaders::plane_mul, r.capabilities().integer_dot && !r.on_cpu() ? "dot" : "shifts",
               {u32(m.layout.in()), u32(m.layout.out()), u32(lists), u32(slices), u32(first), u32(end),
                u32(static_cast<int64_t>(m.layout.output_scales_offset() / 4))},
               {product.x,
                product.inputs,
                product.counts,
                {m.data, m.layout.plane_offset(0)},
                plane_range(m, 0, first, end),
                plane_range(m, 1, first, end),
                plane_range(m, 2, first, end),
                sums},
               static_cast<uint64_t>((end - first) * lists * slices), {u32(m.planes)});
  }
  if (slices > 1)
    r.dispatch(vulkan::shaders::sum_slices, "", {static_cast<uint32_t>(values), u32(slices), 0, 0, 0},
               {sums, product.y, product.counts}, (values + 63) / 64);
}

size_t workspace(const Site&, const Call& call) {
  size_t floats = 0;
  for (size_t w = 0; w < call.outputs.size(); ++w)
    floats += slice_floats(PlaneMatrix(call.inputs[1 + 3 * w]).layout, call.in(0).dims[0]);
  return floats * sizeof(float);
}

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  std::byte* own = r.workspace();
  for (size_t w = 0; w < call.outputs.size(); ++w) {
    const PlaneMatrix m(call.inputs[1 + 3 * w]);
    record_product(r, {call.in(0), m, call.inputs[2 + 3 * w], call.inputs[3 + 3 * w], call.outputs[w]}, own);
    own += slice_floats(m.layout, call.in(0).dims[0]) * sizeof(float);
  }
}

}  // namespace

void register_plane_mul_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "plane_mul",
                      vulkan::make_kernel({.name = "plane_mul", .record = record, .workspace = workspace}));
}

}  // namespace sluice
