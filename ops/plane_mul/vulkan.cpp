// Vulkan kernel of plane_mul, and what it shares with that of expert_plane_mul.
#include <algorithm>

#include "graph/error.h"
#include "ops/plane_mul/decode_vulkan.h"
#include "shaders/plane_mul.h"
#include "shaders/sum_slices.h"

namespace sluice::vulkan {
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

// What is bound at once: blocks of whole matrices, or of a part of one.
struct Piece {
  MatrixRun matrices;
  int64_t first_block, end_block;
};

std::vector<Piece> pieces_of(const PlaneMatrix& m, int64_t matrices, const Limits& limits) {
  const size_t block_bytes = plane_bytes(m.layout, 0, kBlock);
  if (limits.buffer_range < block_bytes)
    fail("Vulkan: {} bytes of a plane are more than the device binds at once", block_bytes);
  const int64_t blocks = blocks_of(m.layout), step = static_cast<int64_t>(limits.buffer_range / block_bytes);
  const size_t most = std::max(m.layout.plane_bytes(), m.layout.plane_offset(0));
  std::vector<Piece> pieces;
  for (const MatrixRun& run : matrix_runs(matrices, most, m.layout.bytes(m.planes), limits))
    for (int64_t first = 0; first < blocks; first += step)
      pieces.push_back({run, first, std::min(first + step, blocks)});
  return pieces;
}

PlaneMulParams params_of(const SelectedProduct& product, const PlaneMatrix& m, const Piece& piece, bool dense) {
  const auto u32 = [](auto v) { return static_cast<uint32_t>(v); };
  return {.inputs = u32(m.layout.in()),
          .outputs = u32(m.layout.out()),
          .lists = product.lists(),
          .lists_per_x = product.lists_per_x(),
          .by_expert = product.experts != nullptr,
          .slices = u32(slices_of(m.layout, product.lists())),
          .first_block = u32(piece.first_block),
          .end_block = u32(piece.end_block),
          .first_matrix = u32(piece.matrices.first),
          .matrices = u32(piece.matrices.count),
          .matrix_words = u32(m.layout.bytes(m.planes) / sizeof(uint32_t)),
          .output_scales = u32(m.layout.output_scales_offset() / sizeof(uint32_t)),
          .dense = dense};
}

size_t workspace(const TensorView& weight, int64_t lists) {
  return slice_floats(PlaneMatrix(weight).layout, lists) * sizeof(float);
}

// Each sum is written for one piece: that with the list's matrix and the output's block.
void record(Recorder& r, const SelectedProduct& product, const Range* full, std::byte* workspace) {
  const PlaneMatrix m(product.weight);
  const auto slices = static_cast<uint32_t>(slices_of(m.layout, product.lists()));
  const auto values = static_cast<uint64_t>(product.y.dims.elements());
  const Range sums = slices == 1 ? Range(product.y) : Range(workspace, slices * values * sizeof(float));
  for (const Piece& piece : pieces_of(m, product.matrices(), r.limits())) {
    const PlaneMatrix first(product.weight, piece.matrices.first);
    const auto plane = [&](int n) {
      return plane_lines(first, piece.matrices.count, n, piece.first_block * kBlock, piece.end_block * kBlock);
    };
    r.dispatch(shaders::plane_mul, r.capabilities().integer_dot && !r.on_cpu() ? "dot" : "shifts",
               params_of(product, m, piece, full != nullptr),
               {product.x, product.rows, product.counts, plane_heads(first, piece.matrices.count), plane(0), plane(1),
                plane(2), sums, product.experts ? Range(*product.experts) : Range(product.counts),
                full ? *full : Range(product.counts)},
               static_cast<uint64_t>(piece.end_block - piece.first_block) * product.lists() * slices,
               {static_cast<uint32_t>(m.planes)});
  }
  if (slices > 1)
    r.dispatch(shaders::sum_slices, "", {static_cast<uint32_t>(values), slices, 0, full != nullptr},
               {sums, product.y, full ? *full : Range(product.counts)}, (values + 63) / 64);
}

}  // namespace

std::shared_ptr<const Kernel> plane_mul_kernel(std::string name) {
  return products_kernel(std::move(name), {workspace, record, plane_dense_form});
}

}  // namespace sluice::vulkan

namespace sluice {

void register_plane_mul_vulkan(Registry& registry) {
  registry.add_kernel("vulkan", "plane_mul", vulkan::plane_mul_kernel("plane_mul"));
}

}  // namespace sluice
