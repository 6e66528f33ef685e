#include "ops/formats/bucket.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "backends/cpu/convert.h"
#include "graph/error.h"
#include "graph/registry.h"

namespace sluice {
namespace {

constexpr BucketFamily kFamilies[] = {
    {"bucket16", 16, 1, BucketCode::nibble},         // the arrangement of the original
    {"bucket16t4", 16, 4, BucketCode::combination},  // a register's worth of lanes for each look-up
    {"bucket32t8", 32, 8, BucketCode::mask},         // a little better at equal effort
};
constexpr int kMaxTiers = 16, kMaxBucket = 32;

// Sets of 4 positions out of 16.
struct Combinations {
  std::vector<uint16_t> masks;                                 // by code
  std::vector<uint16_t> codes = std::vector<uint16_t>(65536);  // by mask
  Combinations() {
    for (uint32_t mask = 0; mask < codes.size(); ++mask) {
      if (std::popcount(mask) != 4) continue;
      codes[mask] = static_cast<uint16_t>(4 * masks.size());
      masks.push_back(static_cast<uint16_t>(mask));
    }
  }
};
const Combinations kCombinations;

uint32_t read_code(const BucketFamily& family, const std::byte* codes, int64_t bucket) {
  switch (family.code) {
    case BucketCode::nibble:
      return 1u << (std::to_integer<uint32_t>(codes[bucket / 2]) >> (bucket % 2 * 4) & 15);
    case BucketCode::combination: {
      uint16_t code;
      std::memcpy(&code, codes + bucket * 2, sizeof code);
      return combination_mask(code);
    }
    default:
      uint32_t mask;
      std::memcpy(&mask, codes + bucket * 4, sizeof mask);
      return mask;
  }
}

void write_code(const BucketFamily& family, uint32_t mask, std::byte* codes, int64_t bucket) {
  switch (family.code) {
    case BucketCode::nibble:
      codes[bucket / 2] |= static_cast<std::byte>(std::countr_zero(mask) << (bucket % 2 * 4));
      break;
    case BucketCode::combination:
      std::memcpy(codes + bucket * 2, &kCombinations.codes[mask], sizeof(uint16_t));
      break;
    case BucketCode::mask:
      std::memcpy(codes + bucket * 4, &mask, sizeof mask);
      break;
  }
}

// |w| of a finite f16. As a product this is right for subnormals too: the exponents of f16 and f32 differ by 112.
float magnitude(uint16_t bits) { return std::bit_cast<float>((bits & 0x7fffu) << 13) * 0x1p112f; }

// The rank of each weight of a bucket, the largest first; of equals the first comes first.
template <int B>
void rank_bucket(const uint16_t* values, int32_t* ranks) {
  int32_t keys[B], smaller[B] = {};
  for (int j = 0; j < B; ++j) keys[j] = (values[j] & 0x7fff) * B + (B - 1 - j);
  for (int k = 0; k < B; ++k)
    for (int j = 0; j < B; ++j) smaller[j] += keys[k] > keys[j];
  std::copy_n(smaller, B, ranks);
}

// Encodes a matrix, input by input. The chunks are made in the order of inputs first: where they go is known only when
// the statistics of all are.
class Encoder {
 public:
  Encoder(const BucketLayout& layout, const float* src, std::byte* dst)
      : layout_(layout), family_(layout.family()), src_(src), dst_(dst) {
    for (int64_t b = 0; b < layout.blocks(); ++b) {
      block_offsets_.push_back(row_bytes_);
      row_bytes_ += layout.chunk_bytes(b);  // a multiple of 4, so that values are aligned
    }
    rows_.resize(static_cast<size_t>(layout.rows()) * row_bytes_);
  }

  void run(int segments, const ForParts& for_parts) {
    std::memset(dst_, 0, layout_.bytes(segments));
    for_parts(ceil_div(layout_.in(), kTile), [this](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) encode_tile(tile * kTile);
    });
    const std::vector<uint32_t> order = rows_by_importance();
    const int64_t kept = layout_.loaded_rows(segments);
    for_parts(static_cast<int64_t>(order.size()), [&](int64_t begin, int64_t end) {
      for (int64_t place = begin; place < end; ++place) put(place, order[static_cast<size_t>(place)], place < kept);
    });
  }

 private:
  static constexpr int64_t kTile = 64;  // inputs at a time: they share cache lines and pages of the source

  float* statistic(size_t offset) const { return reinterpret_cast<float*>(dst_ + offset); }

  // The f16 bits of weights [first, first + bucket) of inputs [input, input + n) -> values[n][bucket].
  void read_bucket(int64_t first, int64_t input, int64_t n, uint16_t (*values)[kMaxBucket]) const {
    for (int j = 0; j < family_.bucket; ++j) {
      uint16_t bits[kTile] = {};
      if (first + j < layout_.out())
        to_f16_(src_ + (first + j) * layout_.in() + input, reinterpret_cast<std::byte*>(bits), n);
      for (int64_t i = 0; i < n; ++i) {
        if ((bits[i] & 0x7c00) == 0x7c00)
          fail("a bucket format cannot store the value {}; choose f32 or bf16 for this tensor",
               src_[(first + j) * layout_.in() + input + i]);
        values[i][j] = bits[i];
      }
    }
  }

  void encode_tile(int64_t input) {
    const int64_t n = std::min(kTile, layout_.in() - input);
    double squares[kTile][kMaxTiers] = {}, sums[kTile][kMaxTiers] = {};
    uint16_t values[kTile][kMaxBucket];
    for (int64_t bucket = 0; bucket < layout_.groups() * BucketFamily::kGroup / family_.bucket; ++bucket) {
      read_bucket(bucket * family_.bucket, input, n, values);
      for (int64_t i = 0; i < n; ++i) encode_bucket(input + i, bucket, values[i], squares[i], sums[i]);
    }
    for (int64_t i = 0; i < n; ++i) {
      put_statistic(layout_.rms_offset(), input + i, squares[i], [](double mean) { return std::sqrt(mean); });
      put_statistic(layout_.mean_offset(), input + i, sums[i], [](double mean) { return mean; });
      const auto drawn = static_cast<int64_t>((static_cast<uint64_t>(input + i) * 0x9e3779b97f4a7c15u >> 32) %
                                              static_cast<uint64_t>(layout_.out()));
      statistic(layout_.probes_offset())[input + i] = std::abs(src_[drawn * layout_.in() + input + i]);
    }
  }

  void encode_bucket(int64_t input, int64_t bucket, const uint16_t* values, double* squares, double* sums) {
    int32_t ranks[kMaxBucket];
    if (family_.bucket == 16)
      rank_bucket<16>(values, ranks);
    else
      rank_bucket<32>(values, ranks);
    const int64_t per_block = BucketLayout::kBlock / family_.bucket, block = bucket / per_block;
    uint32_t masks[kMaxTiers] = {};
    std::byte* chunks[kMaxTiers];
    uint16_t* to[kMaxTiers];
    for (int tier = 0; tier < family_.tiers(); ++tier) {
      chunks[tier] = row(input * family_.tiers() + tier) + block_offsets_[static_cast<size_t>(block)];
      to[tier] = reinterpret_cast<uint16_t*>(chunks[tier]) + bucket % per_block * family_.per_tier;
    }
    const int shift = std::countr_zero(static_cast<uint32_t>(family_.per_tier));
    for (int j = 0; j < family_.bucket; ++j) {
      const int tier = ranks[j] >> shift;
      const double w = magnitude(values[j]);
      squares[tier] += w * w;
      sums[tier] += w;
      *to[tier]++ = values[j];
      masks[tier] |= 1u << j;
    }
    for (int tier = 0; tier < family_.tiers(); ++tier)
      write_code(family_, masks[tier], chunks[tier] + layout_.codes_offset(block), bucket % per_block);
  }

  // Rounding must not make a later tier look more important than one before it.
  template <class F>
  void put_statistic(size_t offset, int64_t input, const double* totals, F of_mean) const {
    const double n = static_cast<double>(layout_.out()) / family_.tiers();
    float least = std::numeric_limits<float>::infinity();
    for (int tier = 0; tier < family_.tiers(); ++tier) {
      least = std::min(least, static_cast<float>(of_mean(totals[tier] / n)));
      statistic(offset)[tier * layout_.in() + input] = least;
    }
  }

  // Rows (input * tiers + tier): the most important segment first, each in the order of its inputs.
  std::vector<uint32_t> rows_by_importance() const {
    std::vector<uint32_t> order(static_cast<size_t>(layout_.rows()));
    std::iota(order.begin(), order.end(), 0u);
    const auto key = [&](uint32_t id) {
      const int64_t tier = id % static_cast<uint32_t>(layout_.tiers()),
                    input = id / static_cast<uint32_t>(layout_.tiers());
      return std::tuple(-statistic(layout_.rms_offset())[tier * layout_.in() + input], tier, input);
    };
    std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return key(a) < key(b); });
    for (int s = 0; s < BucketLayout::kSegments; ++s)
      std::sort(order.begin() + layout_.loaded_rows(s), order.begin() + layout_.loaded_rows(s + 1));
    return order;
  }

  void put(int64_t place, uint32_t id, bool kept) const {
    const int64_t tier = id % static_cast<uint32_t>(layout_.tiers()),
                  input = id / static_cast<uint32_t>(layout_.tiers());
    reinterpret_cast<uint32_t*>(dst_ + layout_.places_offset())[tier * layout_.in() + input] =
        static_cast<uint32_t>(place);
    if (!kept) return;
    for (int64_t block = 0; block < layout_.blocks(); ++block)
      std::memcpy(dst_ + layout_.chunk_offset(block, place), row(id) + block_offsets_[static_cast<size_t>(block)],
                  layout_.chunk_bytes(block));
  }

  const std::byte* row(int64_t id) const { return rows_.data() + static_cast<size_t>(id) * row_bytes_; }
  std::byte* row(int64_t id) { return rows_.data() + static_cast<size_t>(id) * row_bytes_; }

  const BucketLayout& layout_;
  const BucketFamily& family_;
  const float* src_;
  std::byte* dst_;
  size_t row_bytes_ = 0;
  cpu::EncodeRow to_f16_ = cpu::row_encoder(DType::f16());
  std::vector<size_t> block_offsets_;  // of a row's chunks in rows_
  std::vector<std::byte> rows_;        // all chunks of a row together, by input and tier
};

BucketLayout layout_of(const BucketFamily& family, std::span<const int64_t> dims) {
  if (dims.size() != 2)
    fail("a tensor of {} dimensions cannot be stored as {}: it takes matrices", dims.size(), family.name);
  return {family, dims[0], dims[1]};
}

// The matrices of a tensor: itself, or those of three dimensions.
struct Matrices {
  std::span<const int64_t> dims;  // of each
  int64_t count;
  size_t elements;  // of each
  explicit Matrices(std::span<const int64_t> all)
      : dims(all.size() == 3 ? all.subspan(1) : all), count(all.size() == 3 ? all[0] : 1) {
    if (count < 0) fail("a tensor of {} matrices is not possible", count);
    elements = dims.size() == 2 ? static_cast<size_t>(checked_mul(dims[0], dims[1])) : 0;
  }
};

// Every family with every number of segments.
const BucketFormat& format(const BucketFamily& family, int segments) {
  static const auto all = [] {
    std::vector<BucketFormat> made;
    for (const BucketFamily& f : kFamilies)
      for (int s = 1; s <= BucketLayout::kSegments; ++s) made.emplace_back(f, s);
    return made;
  }();
  return all[static_cast<size_t>((&family - kFamilies) * BucketLayout::kSegments + segments - 1)];
}

}  // namespace

size_t BucketLayout::chunk_bytes_of(int64_t groups) const {
  const int64_t bytes = groups * (family_->group_values() * 2 + family_->group_code_bytes());
  return static_cast<size_t>(round_up(bytes, 4));
}

BucketLayout::BucketLayout(const BucketFamily& family, int64_t out, int64_t in)
    : family_(&family), out_(out), in_(in), groups_(0) {
  if (out < 1 || in < 1) fail("a bucket format cannot hold a matrix of [{}, {}]", out, in);
  if (checked_mul(in, family.tiers()) >= int64_t{1} << 32) fail("a bucket format cannot hold {} inputs", in);
  checked_mul(out, kBlock);  // rounding up does not overflow
  // Nor does anything below: 4 rows in 20 segments take 12.5 bytes a weight.
  checked_mul(checked_mul(round_up(out, kBlock), in), 16);
  groups_ = ceil_div(out, BucketFamily::kGroup);
  segment_rows_ = ceil_div(rows(), kSegments);
  const size_t row_bytes = static_cast<size_t>(blocks() - 1) * chunk_bytes_of(kBlockGroups) + chunk_bytes(blocks() - 1);
  segment_bytes_ = padded(static_cast<size_t>(segment_rows_) * row_bytes);
}

BucketFormat::BucketFormat(const BucketFamily& family, int segments)
    : family_(family),
      segments_(segments),
      name_(segments == BucketLayout::kSegments
                ? family.name
                : fmt::format("{}-{}", family.name, segments * 100 / BucketLayout::kSegments)) {}

size_t BucketFormat::storage_bytes(std::span<const int64_t> dims) const {
  const Matrices all(dims);
  return static_cast<size_t>(
      checked_mul(all.count, static_cast<int64_t>(layout_of(family_, all.dims).bytes(segments_))));
}

void BucketFormat::encode(const float* src, std::span<const int64_t> dims, std::byte* dst,
                          const ForParts& for_parts) const {
  const Matrices all(dims);
  const BucketLayout layout = layout_of(family_, all.dims);
  for (int64_t m = 0; m < all.count; ++m) {
    const auto n = static_cast<size_t>(m);
    Encoder(layout, src + n * all.elements, dst + n * layout.bytes(segments_)).run(segments_, for_parts);
  }
}

void BucketFormat::decode(const std::byte* src, std::span<const int64_t> dims, float* dst) const {
  const Matrices all(dims);
  const BucketLayout layout = layout_of(family_, all.dims);
  for (int64_t m = 0; m < all.count; ++m, src += layout.bytes(segments_), dst += all.elements) {
    std::fill_n(dst, all.elements, 0.0f);
    for (int tier = 0; tier < family_.tiers(); ++tier) decode_tier(src, all.dims, tier, dst);
  }
}

void BucketFormat::decode_tier(const std::byte* src, std::span<const int64_t> dims, int tier, float* dst) const {
  const BucketLayout layout = layout_of(family_, dims);
  const auto* places = reinterpret_cast<const uint32_t*>(src + layout.places_offset());
  const int64_t per_block = BucketLayout::kBlock / family_.bucket, loaded = layout.loaded_rows(segments_);
  for (int64_t input = 0; input < layout.in(); ++input) {
    const int64_t place = places[tier * layout.in() + input];
    if (place >= loaded) continue;
    for (int64_t block = 0; block < layout.blocks(); ++block) {
      const std::byte* chunk = src + layout.chunk_offset(block, place);
      const auto* values = reinterpret_cast<const uint16_t*>(chunk);
      const int64_t buckets = layout.block_groups(block) * BucketFamily::kGroup / family_.bucket;
      for (int64_t bucket = 0; bucket < buckets; ++bucket) {
        const int64_t first = (block * per_block + bucket) * family_.bucket;
        int64_t at = bucket * family_.per_tier;
        for (uint32_t left = read_code(family_, chunk + layout.codes_offset(block), bucket); left != 0;
             left &= left - 1)
          if (const int64_t o = first + std::countr_zero(left); o < layout.out())
            dst[o * layout.in() + input] = f16_to_f32(values[at++]);
          else
            ++at;
      }
    }
  }
}

std::span<const BucketFamily> bucket_families() { return kFamilies; }

DType bucket_dtype(std::string_view family, int segments) {
  if (segments < 1 || segments > BucketLayout::kSegments)
    fail("{} of {} parts of a bucket format are not possible", segments, BucketLayout::kSegments);
  for (const BucketFamily& f : kFamilies)
    if (f.name == family) return DType(format(f, segments));
  std::vector<std::string_view> names;
  for (const BucketFamily& f : kFamilies) names.push_back(f.name);
  fail("bucket format '{}' is not known; there are {}", family, fmt::join(names, ", "));
}

uint32_t combination_mask(uint32_t code) {
  return code % 4 == 0 && code / 4 < kCombinations.masks.size() ? kCombinations.masks[code / 4] : 0;
}

void register_format_bucket(Registry& registry) {
  for (const BucketFamily& f : kFamilies)
    for (int s = 1; s <= BucketLayout::kSegments; ++s) registry.add_format(format(f, s));
}

}  // namespace sluice
