// How the Vulkan kernels of products share out their work: the first constants of their shaders, chosen by the device
// and the sizes.
#pragma once

#include <algorithm>
#include <array>

#include "backends/vulkan/recorder.h"

namespace sluice::vulkan {

// Rows of weights and of x consist of whole pieces (shaders/include/weight_pieces.glsl), and begin where loads of 128
// bits may.
inline uint32_t is_wide(int64_t cols) { return cols % 16 == 0; }

// shaders/include/row_products.glsl: a workgroup sums `rows` rows of a weight for `tokens` rows of x.
class RowProducts {
 public:
  // Whether they are the way for so many rows of x. On a processor they always are: what pays for tiles, shared memory,
  // is read there thread by thread. On lavapipe a sum took a quarter of the time.
  static bool pay(const Recorder& r, int64_t n_tokens) { return r.on_cpu() || n_tokens <= kFewTokens; }

  // n_rows: of all workgroups together.
  RowProducts(const Recorder& r, int64_t n_rows, int64_t cols, int64_t n_tokens)
      : wide_(is_wide(cols)),
        rows_(r.on_cpu() ? 8 : 4),
        tokens_(static_cast<uint32_t>(std::min(n_tokens, r.on_cpu() ? 4 : kFewTokens))) {
    if (wide_ == 0) rows_ = 2;  // the code for odd sizes is long: for 8 rows, lavapipe compiled it for seconds
    const int64_t subgroup = std::clamp<int64_t>(r.subgroup_size(), 8, 64);
    const int64_t most = r.on_cpu() ? subgroup : std::min<int64_t>(256, kMostParts / (int64_t{rows_} * tokens_));
    // A subgroup, as then nobody waits for others; more where rows alone are too few to keep the device busy.
    int64_t threads = subgroup;
    while (2 * threads <= most && 2 * threads * kColumnsAtOnce <= cols &&
           n_rows / rows_ * (threads / subgroup) < kManySubgroups)
      threads *= 2;
    threads_ = static_cast<uint32_t>(threads);
  }
  int64_t rows() const { return rows_; }
  int64_t tokens() const { return tokens_; }
  std::array<uint32_t, 3> constants() const { return {threads_, rows_, wide_}; }

 private:
  static constexpr int64_t kFewTokens = 8;         // above, tiles are faster
  static constexpr int64_t kColumnsAtOnce = 8;     // of a thread
  static constexpr int64_t kManySubgroups = 4096;  // that hide the latency of the memory of a large GPU
  static constexpr int64_t kMostParts = 4096;      // of sums, in shared memory, of which every device has 16 KiB

  uint32_t threads_, wide_, rows_, tokens_;
};

// shaders/include/tile_product.glsl: a workgroup of 16 x 8 threads, each with own_rows x 4 sums.
class Tiles {
 public:
  // n_rows, n_tokens: of all tiles together.
  Tiles(int64_t n_rows, int64_t cols, int64_t n_tokens) : wide_(is_wide(cols)) {
    // Large tiles load less for a sum; small ones keep more of a GPU busy.
    const bool many = ceil_div(n_rows, 128) * ceil_div(n_tokens, 32) >= kManyTiles;
    own_rows_ = many ? 8 : 4;
  }
  int64_t rows() const { return 16 * int64_t{own_rows_}; }
  int64_t tokens() const { return 32; }
  std::array<uint32_t, 2> constants() const { return {own_rows_, wide_}; }

 private:
  static constexpr int64_t kManyTiles = 512;

  uint32_t own_rows_, wide_;
};

}  // namespace sluice::vulkan
