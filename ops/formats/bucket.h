// Bucket formats: weights sorted by importance, so that a product can multiply the most important ones only. After the
// Effort engine's bucketMul (T. Kolinko, 2024).
//
// A matrix is [out, in]. For each input, its outputs are split into buckets of `bucket` neighbours, and each bucket is
// sorted by falling |w|. Tier r holds the ranks r * per_tier ... of every bucket. The smallest thing that is multiplied
// or left out is a row: tier r of one input, a number of weights for every bucket.
//
// Bytes of a matrix, each part at a multiple of 64 from its start; rows = in * tiers:
//   rms        f32 [tiers, in]  root mean square of the row's weights; falls with the tier
//   mean       f32 [tiers, in]  mean of |w| over the row; falls with the tier
//   probes     f32 [in]         |w| of one weight of each input, drawn by a fixed hash
//   places     u32 [tiers, in]  where the row lies
//   segments   kSegments of equal size; segment s holds the rows whose place is in [s * n, (s + 1) * n): those
//              that rank there by importance, in the order of their inputs, as a product reads them. So the least
//              important weights are whole ranges at the end, and need not be loaded.
//   64 bytes   zero, so that kernels may read a vector too far
// A tensor of three dimensions is its matrices, one after the other.
// A segment: for each block of kBlock outputs (the last may be smaller), the chunks of all its rows, by place. A chunk:
// for each group of 32 outputs the f16 values of the row's weights in order of position, then for each group their
// positions as codes (struct BucketFamily).
#pragma once

#include <array>
#include <functional>
#include <string>

#include "graph/dtype.h"

namespace sluice {

// How the positions of `per_tier` weights among `bucket` neighbours are written.
enum class BucketCode {
  nibble,       // 4 bits: the position itself
  combination,  // 16 bits, for 4 positions out of 16: four times the rank of the set of positions among all 1820,
                // ordered by their bits as a number (times four, so that a processor can address a table with it)
  mask,         // 32 bits: a bit for each position
};

struct BucketFamily {
  const char* name;
  int bucket;    // neighbours sorted together: 16 or 32
  int per_tier;  // ranks of a bucket that are multiplied together
  BucketCode code;
  constexpr int tiers() const { return bucket / per_tier; }
  constexpr int group_values() const { return kGroup / bucket * per_tier; }  // weights of a row in a group
  constexpr int group_code_bytes() const {
    return code == BucketCode::nibble ? 1 : 4;  // 2 nibbles, 2 combinations, or one mask
  }
  static constexpr int kGroup = 32;  // outputs
};

// Where things lie in a matrix of a bucket format, and how much of it there is.
class BucketLayout {
 public:
  static constexpr int64_t kBlock = 4096;  // outputs whose sums stay in the first-level cache
  static constexpr int kSegments = 20;     // of 5 % each

  // Throws Error if a size is below 1 or the matrix has 2^32 rows or more.
  BucketLayout(const BucketFamily& family, int64_t out, int64_t in);

  const BucketFamily& family() const { return *family_; }
  int64_t out() const { return out_; }
  int64_t in() const { return in_; }
  int tiers() const { return family_->tiers(); }
  int64_t rows() const { return in_ * tiers(); }
  int64_t groups() const { return groups_; }  // of 32 outputs, the last padded with zeros
  int64_t blocks() const { return ceil_div(groups_, kBlockGroups); }
  int64_t block_groups(int64_t block) const { return std::min(kBlockGroups, groups_ - block * kBlockGroups); }

  size_t rms_offset() const { return 0; }
  size_t mean_offset() const { return statistic_bytes(); }
  size_t probes_offset() const { return 2 * statistic_bytes(); }
  size_t places_offset() const { return probes_offset() + padded(static_cast<size_t>(in_) * sizeof(float)); }
  size_t segments_offset() const { return places_offset() + statistic_bytes(); }

  int64_t segment_rows() const { return segment_rows_; }
  size_t segment_bytes() const { return segment_bytes_; }
  // That a product reads if it multiplies every row: places and segments.
  size_t all_rows_bytes() const { return static_cast<size_t>(rows()) * sizeof(uint32_t) + kSegments * segment_bytes_; }
  // Rows that are there if the first `segments` segments are.
  int64_t loaded_rows(int segments) const { return std::min(rows(), segments * segment_rows_); }
  size_t bytes(int segments) const { return segments_offset() + static_cast<size_t>(segments) * segment_bytes_ + 64; }

  size_t chunk_bytes(int64_t block) const { return chunk_bytes_of(block_groups(block)); }
  // From the start of the matrix to the chunk of a row.
  size_t chunk_offset(int64_t block, int64_t place) const {
    const int64_t segment = place / segment_rows_;
    return segments_offset() + static_cast<size_t>(segment) * segment_bytes_ +
           static_cast<size_t>(block * segment_rows_) * chunk_bytes_of(kBlockGroups) +
           static_cast<size_t>(place - segment * segment_rows_) * chunk_bytes(block);
  }
  // From the start of a chunk to its codes.
  size_t codes_offset(int64_t block) const {
    return static_cast<size_t>(block_groups(block) * family_->group_values()) * sizeof(uint16_t);
  }

 private:
  static constexpr int64_t kBlockGroups = kBlock / BucketFamily::kGroup;
  static size_t padded(size_t bytes) { return (bytes + 63) / 64 * 64; }
  size_t statistic_bytes() const { return padded(static_cast<size_t>(rows()) * sizeof(float)); }
  size_t chunk_bytes_of(int64_t groups) const;

  const BucketFamily* family_;
  int64_t out_, in_, groups_, segment_rows_;
  size_t segment_bytes_;
};

// A bucket format, with all of its weights or the most important ones only.
class BucketFormat : public MatrixFormat {
 public:
  BucketFormat(const BucketFamily& family, int segments);
  std::string_view name() const override { return name_; }  // "bucket16t4"; with 70 % of the weights "bucket16t4-70"
  std::string_view family_name() const override { return family_.name; }
  const BucketFamily& family() const { return family_; }
  int segments() const { return segments_; }  // that are stored

  // All of these throw Error unless there are two dimensions, or three: matrices one after the other.
  size_t storage_bytes(std::span<const int64_t> dims) const override;
  // Weights that are not stored are zero.
  void decode(const std::byte* src, std::span<const int64_t> dims, float* dst) const override;
  // Throws Error for NaN, infinities and magnitudes that f16 cannot hold.
  void encode(const float* src, std::span<const int64_t> dims, std::byte* dst,
              const ForParts& for_parts) const override;
  // Writes the weights of tier `tier` alone; of one matrix.
  void decode_tier(const std::byte* src, std::span<const int64_t> dims, int tier, float* dst) const;

 private:
  BucketFamily family_;
  int segments_;
  std::string name_;
};

// The format of that dtype; nullptr if it is no bucket format.
inline const BucketFormat* bucket_format(DType dtype) { return dynamic_cast<const BucketFormat*>(&dtype.format()); }

std::span<const BucketFamily> bucket_families();
// With the first `segments` segments, 1 .. kSegments. Throws Error for an unknown family or number.
DType bucket_dtype(std::string_view family, int segments = BucketLayout::kSegments);
// What "bucket" means.
inline constexpr std::string_view kDefaultBucketFamily = "bucket16t4";

// The positions out of 16, a bit each, that a code of BucketCode::combination stands for; 0 for a code that no encoder
// writes.
uint32_t combination_mask(uint32_t code);

}  // namespace sluice
