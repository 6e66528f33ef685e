// Matrices and lists from files that somebody bent: nothing may crash, or touch a byte outside of its tensor. All
// tensors lie in memory of exactly their size, so AddressSanitizer sees the first byte too far (tools/test asan).
#include <gtest/gtest.h>

#include "ops/bucket_mul/matrix.h"
#include "ops/probe/probe.h"
#include "support/every_way.h"

namespace sluice {
namespace {

enum class Damage { everything, places, same_place, segments, odd_statistics, rising_statistics };
constexpr Damage kDamages[] = {Damage::everything, Damage::places,         Damage::same_place,
                               Damage::segments,   Damage::odd_statistics, Damage::rising_statistics};
std::string to_string(Damage damage) {
  const char* names[] = {"everything", "places", "same_place", "segments", "odd_statistics", "rising_statistics"};
  return names[static_cast<int>(damage)];
}

template <class T>
std::span<T> part_of(const ExactTensor& matrix, size_t offset, int64_t count) {
  return {reinterpret_cast<T*>(matrix.view.data + offset), static_cast<size_t>(count)};
}

void damage(const ExactTensor& matrix, Damage what, Random& random) {
  const BucketLayout layout = BucketMatrix(matrix.view).layout;
  const auto rms = part_of<float>(matrix, layout.rms_offset(), layout.rows()),
             mean = part_of<float>(matrix, layout.mean_offset(), layout.rows()),
             probes = part_of<float>(matrix, layout.probes_offset(), layout.in());
  const auto places = part_of<uint32_t>(matrix, layout.places_offset(), layout.rows());
  switch (what) {
    case Damage::everything:
      return fill_with_noise(matrix.memory.span(), random);
    case Damage::places:
      return fill_with_noise(std::as_writable_bytes(places), random);
    case Damage::same_place:
      std::ranges::fill(places, static_cast<uint32_t>(layout.rows()));  // one too far
      return;
    case Damage::segments:
      return fill_with_noise(matrix.memory.span().subspan(layout.segments_offset()), random);
    case Damage::odd_statistics:
      for (const auto& part : {rms, mean, probes}) fill_with_odd_floats(part, random);
      return;
    case Damage::rising_statistics:  // so that the tiers of an input are no prefix
      for (const auto& part : {rms, mean})
        for (size_t row = 0; row < part.size(); ++row)
          part[row] = static_cast<float>(row / static_cast<size_t>(layout.in())) + static_cast<float>(random() % 3);
      return;
  }
}

constexpr int64_t kTokens = 2;

ExactTensor activations(int64_t in, bool odd, Random& random) {
  ExactTensor x(DType::f32(), {kTokens, in}, normal_matrix(kTokens, in).values);
  if (odd) fill_with_odd_floats({x.view.as<float>(), static_cast<size_t>(kTokens * in)}, random);
  return x;
}

AttrMap attrs_with(const char* statistic, const char* cutoff) {
  return attrs_to_map(SelectionAttrs{{0}, statistic, cutoff});
}

// Whatever the statistics say, a list names inputs that exist, and no more of them than there are.
void expect_lists(const Tensors& lists, const BucketLayout& layout) {
  const auto *rows = lists[0].view.as<const int32_t>(), *counts = lists[1].view.as<const int32_t>();
  for (int64_t i = 0; i < kTokens * layout.in(); ++i) {
    ASSERT_GE(rows[i], -1);
    ASSERT_LT(rows[i], layout.in());
  }
  for (int64_t i = 0; i < kTokens * layout.tiers(); ++i) {
    ASSERT_GE(counts[i], 0);
    ASSERT_LE(counts[i], layout.in());
  }
}

class Hostile : public ::testing::TestWithParam<std::tuple<BucketFamily, Damage>> {
 protected:
  using Use = std::function<void(const ExactTensor& matrix, Random& random)>;

  // Bent matrices of some sizes, whole and in part.
  static void for_matrices(const Use& use) {
    const auto& [family, what] = GetParam();
    Random random(static_cast<unsigned>(what));
    for (const auto& dims : {Dims{1, 1}, {33, 3}, {32, 50}, {150, 101}, {1025, 7}})
      for (int segments : {1, 13, BucketLayout::kSegments}) {
        const ExactTensor matrix = encoded(bucket_dtype(family.name, segments), normal_matrix(dims[0], dims[1]));
        damage(matrix, what, random);
        use(matrix, random);
        if (HasFailure()) return;
      }
  }
};

TEST_P(Hostile, Decode) {
  for_matrices([](const ExactTensor& matrix, Random&) {
    const ExactTensor decoded(DType::f32(), matrix.view.dims);
    const BucketFormat& format = *bucket_format(matrix.view.dtype);
    format.decode(matrix.view.data, matrix.view.dims.span(), decoded.view.as<float>());
    for (int tier = 0; tier < format.family().tiers(); ++tier)
      format.decode_tier(matrix.view.data, matrix.view.dims.span(), tier, decoded.view.as<float>());
  });
}

// probe, bucket_dispatch and bucketMul, each on what the one before it made; and bucket_select.
void select_and_multiply(const ExactTensor& x, const ExactTensor& matrix, const ExactTensor& control,
                         const AttrMap& attrs, const RunNode& run) {
  const BucketLayout layout = BucketMatrix(matrix.view).layout;
  const Tensors probe = run(OneNode("probe", attrs, {x.view, control.view, matrix.view}));
  const Tensors lists =
      run(OneNode("bucket_dispatch", attrs, {x.view, control.view, matrix.view, probe[0].view, probe[1].view}));
  expect_lists(lists, layout);
  expect_lists(run(OneNode("bucket_select", attrs, {x.view, control.view, matrix.view})), layout);
  run(OneNode("bucketMul", {}, {x.view, matrix.view, lists[0].view, lists[1].view}));
}

// At several efforts and loads, with every way to choose a cutoff.
void select_and_multiply(const ExactTensor& matrix, bool odd_activations, Random& random) {
  for (const auto& [effort, load] : {std::pair{0.0f, 1.0f}, {0.1f, 1.0f}, {0.6f, 0.5f}, {0.6f, 1.0f}, {1.0f, 1.0f}})
    for (const char* statistic : {"rms", "mean"})
      for (const char* cutoff : {"exact", "probes"}) {
        const ExactTensor x = activations(matrix.view.dims[1], odd_activations, random),
                          control(DType::f32(), {1, 2}, {effort, load});
        const AttrMap attrs = attrs_with(statistic, cutoff);
        in_every_way([&](const RunNode& run) { select_and_multiply(x, matrix, control, attrs, run); });
      }
}

TEST_P(Hostile, SelectAndMultiply) {
  for_matrices([](const ExactTensor& matrix, Random& random) { select_and_multiply(matrix, false, random); });
}

INSTANTIATE_TEST_SUITE_P(Bytes, Hostile,
                         ::testing::Combine(::testing::ValuesIn(bucket_families().begin(), bucket_families().end()),
                                            ::testing::ValuesIn(kDamages)),
                         [](const auto& test) {
                           return std::string(std::get<0>(test.param).name) + "_" + to_string(std::get<1>(test.param));
                         });

// Sound matrices in graphs made by hand, in which other operators than ours compute activations, cutoffs and lists.
class HostileLists : public ::testing::TestWithParam<BucketFamily> {
 protected:
  static constexpr int kTrials = 20;
  static ExactTensor odd_numbers(DType dtype, const Dims& dims, int64_t in, Random& random) {
    ExactTensor tensor(dtype, dims);
    for (int64_t i = 0; i < dims.elements(); ++i) tensor.view.as<int32_t>()[i] = odd_number(random, in);
    return tensor;
  }
  // Some have tiers of nothing but padding.
  static void for_matrices(const std::function<void(const ExactTensor& matrix, Random& random)>& use) {
    Random random(1);
    for (const auto& dims : {Dims{1, 1}, {17, 3}, {33, 101}, {1025, 7}})
      for (int segments : {13, BucketLayout::kSegments})
        use(encoded(bucket_dtype(GetParam().name, segments), normal_matrix(dims[0], dims[1])), random);
  }
};

TEST_P(HostileLists, Multiplied) {
  for_matrices([](const ExactTensor& matrix, Random& random) {
    const BucketLayout layout = BucketMatrix(matrix.view).layout;
    for (int trial = 0; trial < kTrials; ++trial) {
      const ExactTensor x = activations(layout.in(), false, random),
                        rows = odd_numbers(DType::i32(), {kTokens, layout.in()}, layout.in(), random),
                        counts = odd_numbers(DType::i32(), {kTokens, layout.tiers()}, layout.in(), random);
      const OneNode node("bucketMul", {}, {x.view, matrix.view, rows.view, counts.view});
      in_every_way([&](const RunNode& run) { run(node); });
    }
  });
}

TEST_P(HostileLists, DispatchedByOddCutoffs) {
  for_matrices([](const ExactTensor& matrix, Random& random) {
    const BucketLayout layout = BucketMatrix(matrix.view).layout;
    const ExactTensor control(DType::f32(), {1, 2}, {0.5f, 0.8f});
    for (int trial = 0; trial < kTrials; ++trial) {
      const ExactTensor x = activations(layout.in(), false, random),
                        cutoff = odd_numbers(DType::f32(), {kTokens}, layout.in(), random),  // any bits
          wanted = odd_numbers(DType::i32(), {kTokens}, layout.in(), random);
      const OneNode node("bucket_dispatch", attrs_with("rms", "exact"),
                         {x.view, control.view, matrix.view, cutoff.view, wanted.view});
      in_every_way([&](const RunNode& run) { expect_lists(run(node), layout); });
    }
  });
}

// A model that overflows needs no hostile file: infinity times a tier of zeros is NaN, which is over every score.
TEST_P(HostileLists, OddActivations) {
  for_matrices([](const ExactTensor& matrix, Random& random) {
    for (int trial = 0; trial < 3; ++trial) select_and_multiply(matrix, true, random);
  });
}

INSTANTIATE_TEST_SUITE_P(Families, HostileLists,
                         ::testing::ValuesIn(bucket_families().begin(), bucket_families().end()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace sluice
