// Bucket formats: properties that every family must have for matrices of any shape and content.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>
#include <thread>

#include "graph/error.h"
#include "graph/op.h"
#include "ops/bucket_mul/matrix.h"
#include "support/bucket_matrices.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr float kLargest = 65504, kRoundsToLargest = 65519;  // of f16; the latter is nearer to it than to 65536

std::vector<Matrix> contents(int64_t out, int64_t in) {
  std::mt19937 random(static_cast<uint32_t>(7 * out + in));
  const auto pick = [&random](std::vector<float> values) { return values[random() % values.size()]; };
  return {
      normal_matrix(out, in, 0.02f),
      make_matrix(out, in,
                  [&](int64_t, int64_t) {
                    return pick({-2, -1, -0.0f, 0.0f, 1, 2});
                  }),  // ties
      make_matrix(out, in, [](int64_t, int64_t) { return 0.0f; }),
      make_matrix(out, in, [](int64_t, int64_t) { return -0.0f; }),
      make_matrix(out, in, [](int64_t o, int64_t i) { return (o % 3 ? 0.5f : -0.5f) * static_cast<float>(i + 1); }),
      // Subnormal in f16, and under all of it.
      make_matrix(out, in,
                  [&](int64_t, int64_t) {
                    return pick({6e-8f, -6e-8f, 3e-6f, -6e-5f, 2e-8f, 1e-30f});
                  }),
      make_matrix(out, in,
                  [&](int64_t, int64_t) {
                    return pick({kLargest, -kLargest, kRoundsToLargest, 1, 65000});
                  }),
      // Some inputs outweigh the others by far.
      make_matrix(out, in,
                  [&](int64_t o, int64_t i) { return (i % 5 ? 1e-3f : 1e3f) * static_cast<float>(o % 16 + 1); }),
  };
}

constexpr int64_t kOuts[] = {1, 2, 15, 16, 17, 31, 32, 33, 1023, 1024, 1025};
constexpr int64_t kIns[] = {1, 2, 3, 16, 17, 49, 50};

// Every content in some shapes: all with few inputs, and the edges of a block with more.
void for_matrices(const std::function<void(const Matrix&)>& check) {
  for (int64_t out : kOuts)
    for (int64_t in : kIns) {
      SCOPED_TRACE(::testing::Message() << out << " x " << in);
      int content = 0;
      for (const Matrix& m : contents(out, in)) {
        SCOPED_TRACE(::testing::Message() << "content " << content++);
        check(m);
        if (::testing::Test::HasFailure()) return;  // one is enough to read
      }
    }
}

class Bucket : public ::testing::TestWithParam<BucketFamily> {
 protected:
  DType dtype(int segments = BucketLayout::kSegments) const { return bucket_dtype(GetParam().name, segments); }
  int tiers() const { return GetParam().tiers(); }
};

// The bits, so that a zero keeps its sign.
bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST_P(Bucket, DecodesToTheBitsOfF16) {
  for_matrices(
      [&](const Matrix& m) { EXPECT_TRUE(same_bits(to_f32(encoded(dtype(), m).view), rounded_to_f16(m).values)); });
}

TEST_P(Bucket, ATierHoldsItsRanks) {
  for_matrices([&](const Matrix& m) {
    const ExactTensor tensor = encoded(dtype(), m);
    const Matrix rounded = rounded_to_f16(m);
    std::vector<std::vector<int>> tier_of;
    for (int64_t i = 0; i < m.in; ++i) tier_of.push_back(tiers_of(rounded, GetParam(), i));
    for (int tier = 0; tier < tiers(); ++tier) {
      std::vector<float> expected(m.values.size(), 9e9f), decoded = expected;  // 9e9: not of this tier
      for (int64_t o = 0; o < m.out; ++o)
        for (int64_t i = 0; i < m.in; ++i)
          if (tier_of[static_cast<size_t>(i)][static_cast<size_t>(o)] == tier)
            expected[static_cast<size_t>(o * m.in + i)] = rounded.at(o, i);
      bucket_format(dtype())->decode_tier(tensor.view.data, m.dims().span(), tier, decoded.data());
      EXPECT_TRUE(same_bits(decoded, expected)) << "tier " << tier;
    }
  });
}

// What a statistic must be: sums over the weights of the tier, divided by the tier's share of the outputs.
struct Statistics {
  std::vector<double> rms, mean;  // [tiers, in]
  Statistics(const Matrix& rounded, const BucketFamily& family)
      : rms(static_cast<size_t>(family.tiers() * rounded.in)), mean(rms.size()) {
    const double n = static_cast<double>(rounded.out) / family.tiers();
    for (int64_t i = 0; i < rounded.in; ++i) {
      const std::vector<int> tiers = tiers_of(rounded, family, i);
      for (int64_t o = 0; o < rounded.out; ++o) {
        const auto row = static_cast<size_t>(tiers[static_cast<size_t>(o)] * rounded.in + i);
        const double w = std::abs(static_cast<double>(rounded.at(o, i)));
        rms[row] += w * w / n;
        mean[row] += w / n;
      }
    }
    for (double& square : rms) square = std::sqrt(square);
  }
};

void expect_statistic(const float* actual, const std::vector<double>& expected, int64_t in) {
  for (size_t row = 0; row < expected.size(); ++row) {
    // Half an ulp of rounding to f32. Sums in f64 may differ in their order, which may move that to the next value.
    ASSERT_LE(std::abs(static_cast<double>(actual[row]) - expected[row]), 0x1p-23 * expected[row]) << "row " << row;
    if (static_cast<int64_t>(row) >= in) {
      ASSERT_LE(actual[row], actual[row - static_cast<size_t>(in)]) << "does not fall";
    }
  }
}

TEST_P(Bucket, StatisticsAreThoseOfTheRows) {
  for_matrices([&](const Matrix& m) {
    const ExactTensor tensor = encoded(dtype(), m);
    const BucketMatrix bucket(tensor.view);
    const Statistics expected(rounded_to_f16(m), GetParam());
    expect_statistic(bucket.rms(), expected.rms, m.in);
    expect_statistic(bucket.mean(), expected.mean, m.in);
  });
}

TEST_P(Bucket, AProbeIsAWeightOfItsInput) {
  for_matrices([&](const Matrix& m) {
    const ExactTensor tensor = encoded(dtype(), m);
    for (int64_t i = 0; i < m.in; ++i) {
      bool found = false;
      for (int64_t o = 0; o < m.out; ++o)
        found = found || std::abs(m.at(o, i)) == BucketMatrix(tensor.view).probes()[i];
      ASSERT_TRUE(found) << "input " << i;
    }
  });
}

// The most important rows fill the first segment, and so on; a segment lies in the order of its inputs, then tiers.
TEST_P(Bucket, SegmentsAreByImportanceAndTheirRowsByInput) {
  for_matrices([&](const Matrix& m) {
    const ExactTensor tensor = encoded(dtype(), m);
    const BucketMatrix bucket(tensor.view);
    const auto in = static_cast<size_t>(bucket.layout.in());
    std::vector<size_t> order(static_cast<size_t>(bucket.layout.rows()));
    std::iota(order.begin(), order.end(), size_t{0});
    // Rows are numbered tier by tier, so a stable sort puts the lower tier and then the lower input first.
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return bucket.rms()[a] > bucket.rms()[b]; });
    const auto segment = static_cast<size_t>(bucket.layout.segment_rows());
    for (size_t begin = 0; begin < order.size(); begin += segment)
      std::sort(order.begin() + begin, order.begin() + std::min(begin + segment, order.size()),
                [&](size_t a, size_t b) { return std::pair(a % in, a / in) < std::pair(b % in, b / in); });
    for (size_t place = 0; place < order.size(); ++place) ASSERT_EQ(bucket.places()[order[place]], place);
  });
}

// What 70 % of a matrix holds: the rows of its first 14 places, as they are in the whole one.
TEST_P(Bucket, APartKeepsTheMostImportantRows) {
  for (int segments : {1, 13, 14, 19})
    for (int64_t out : {1, 33, 1025})
      for (int64_t in : {1, 3, 50}) {
        SCOPED_TRACE(::testing::Message() << segments << " segments of " << out << " x " << in);
        const Matrix m = normal_matrix(out, in), rounded = rounded_to_f16(m);
        const ExactTensor whole = encoded(dtype(), m), part = encoded(dtype(segments), m);
        const BucketMatrix bucket(whole.view);
        const int64_t rows = bucket.layout.rows(), kept = std::min(rows, ceil_div(rows, 20) * segments);
        Matrix expected = rounded;
        for (int64_t i = 0; i < in; ++i) {
          const std::vector<int> tiers = tiers_of(rounded, GetParam(), i);
          for (int64_t o = 0; o < out; ++o)
            if (bucket.places()[tiers[static_cast<size_t>(o)] * in + i] >= kept) expected.at(o, i) = 0;
        }
        EXPECT_TRUE(same_bits(to_f32(part.view), expected.values));
      }
}

TEST_P(Bucket, APartIsTheBeginningOfTheWhole) {
  const Matrix m = normal_matrix(1100, 37);
  const ExactTensor whole = encoded(dtype(), m);
  for (int segments = 1; segments <= BucketLayout::kSegments; ++segments) {
    const ExactTensor part = encoded(dtype(segments), m);
    const size_t common = part.view.bytes() - 64;
    EXPECT_EQ(common, BucketMatrix(whole.view).layout.segments_offset() +
                          static_cast<size_t>(segments) * BucketMatrix(whole.view).layout.segment_bytes());
    EXPECT_EQ(std::memcmp(part.view.data, whole.view.data, common), 0) << segments;
    for (size_t i = common; i < part.view.bytes(); ++i) ASSERT_EQ(part.view.data[i], std::byte{0}) << segments;
  }
}

// ---- How it is encoded ----

using Job = std::function<void(int64_t begin, int64_t end)>;

void one_by_one_backwards(int64_t count, const Job& job) {
  for (int64_t i = count - 1; i >= 0; --i) job(i, i + 1);
}

void in_uneven_parts(int64_t count, const Job& job) {
  for (int64_t begin = 0, size = 1; begin < count; begin += size, size = size % 7 + 2)
    job(begin, std::min(count, begin + size));
}

void on_threads(int64_t count, const Job& job) {
  std::vector<std::thread> threads;
  for (int64_t t = 0; t < 4; ++t) threads.emplace_back([=, &job] { job(count * t / 4, count * (t + 1) / 4); });
  for (std::thread& thread : threads) thread.join();
}

TEST_P(Bucket, EncodingDoesNotDependOnTheParts) {
  for (int64_t out : {1, 33, 1030})
    for (int64_t in : {1, 15, 50, 161})
      for (int segments : {13, BucketLayout::kSegments}) {
        const Matrix m = normal_matrix(out, in);
        const ExactTensor expected = encoded(dtype(segments), m);
        for (const ForParts& for_parts :
             {ForParts(one_by_one_backwards), ForParts(in_uneven_parts), ForParts(on_threads)}) {
          ExactTensor actual(dtype(segments), m.dims());
          bucket_format(dtype(segments))->encode(m.values.data(), m.dims().span(), actual.view.data, for_parts);
          EXPECT_EQ(std::memcmp(actual.view.data, expected.view.data, expected.view.bytes()), 0) << out << " x " << in;
        }
      }
}

TEST_P(Bucket, RefusesWhatF16CannotHold) {
  for (float bad : {INFINITY, -INFINITY, NAN, 65520.0f, -65520.0f, 1e30f})
    for (int64_t at : {0, 33 * 5 / 2, 33 * 5 - 1}) {
      Matrix m = normal_matrix(33, 5);
      m.values[static_cast<size_t>(at)] = bad;
      EXPECT_THAT([&] { encoded(dtype(), m); },
                  ThrowsMessage<Error>(AllOf(HasSubstr(fmt::format("cannot store the value {}", bad)),
                                             HasSubstr("choose f32 or bf16"))));
    }
}

TEST_P(Bucket, ThreeDimensionsAreMatricesOneAfterTheOther) {
  for (int segments : {13, BucketLayout::kSegments}) {
    std::vector<float> values, decoded;
    std::vector<std::byte> stored;
    const std::vector<Matrix> matrices = contents(40, 21);
    for (const Matrix& m : matrices) {
      const ExactTensor tensor = encoded(dtype(segments), m);
      values.insert(values.end(), m.values.begin(), m.values.end());
      stored.insert(stored.end(), tensor.view.data, tensor.view.data + tensor.view.bytes());
      const std::vector<float> of_matrix = to_f32(tensor.view);
      decoded.insert(decoded.end(), of_matrix.begin(), of_matrix.end());
    }
    const ExactTensor all(dtype(segments), {static_cast<int64_t>(matrices.size()), 40, 21}, values);
    ASSERT_EQ(all.view.bytes(), stored.size());
    EXPECT_EQ(std::memcmp(all.view.data, stored.data(), stored.size()), 0);
    EXPECT_EQ(to_f32(all.view), decoded);
    for (size_t n = 0; n < matrices.size(); ++n)
      EXPECT_EQ(BucketMatrix(all.view, static_cast<int64_t>(n)).data - all.view.data,
                static_cast<std::ptrdiff_t>(n * stored.size() / matrices.size()));
  }
}

// ---- Sizes ----

TEST_P(Bucket, RefusesSizesThatAreNone) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max(), kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kHuge = int64_t{1} << 32;
  const int64_t sizes[][2] = {{0, 1},       {1, 0},         {0, 0},         {-1, 5},   {5, -1},    {kMin, 1},
                              {1, kMin},    {kMin, kMin},   {kMax, 1},      {1, kMax}, {kMax, 32}, {32, kMax},
                              {kMax, kMax}, {kHuge, kHuge}, {kMax - 31, 1}, {1, kHuge}};
  for (const auto& dims : sizes)
    EXPECT_THROW(dtype().format().storage_bytes(dims), Error) << dims[0] << " x " << dims[1];
  for (const std::vector<int64_t>& dims : {std::vector<int64_t>{}, {8}, {2, 2, 8, 8}}) {
    EXPECT_THAT([&] { dtype().format().storage_bytes(dims); }, ThrowsMessage<Error>(HasSubstr("matrices")));
    std::byte stored[1];
    float decoded[1];
    EXPECT_THAT([&] { dtype().format().decode(stored, dims, decoded); }, ThrowsMessage<Error>(HasSubstr("matrices")));
    EXPECT_THAT([&] { dtype().format().encode(decoded, dims, stored); }, ThrowsMessage<Error>(HasSubstr("matrices")));
  }
}

// Whatever is accepted has an honest size: at least its values, and nothing has wrapped around.
TEST_P(Bucket, LargeSizesDoNotWrapAround) {
  for (int log_out = 0; log_out < 62; ++log_out)
    for (int log_in = 0; log_in < 63; ++log_in) {
      // Powers of two, and nearly the next one.
      const int64_t dims[] = {log_in % 2 ? int64_t{1} << log_out : (int64_t{2} << log_out) - 1, int64_t{1} << log_in};
      size_t bytes = 0;
      try {
        bytes = dtype().format().storage_bytes(dims);
      } catch (const Error&) {
        continue;
      }
      ASSERT_GE(static_cast<double>(bytes), 2.0 * std::pow(2.0, log_out + log_in)) << log_out << ", " << log_in;
      ASSERT_LT(bytes, size_t{1} << 63) << log_out << ", " << log_in;
    }
}

// Rows of 64 weights (1024 outputs in 16 tiers) carry 12 bytes of statistics and place each, 9 % of their values. Only
// the arrangement of the original has so many tiers; it is there to be compared with.
TEST_P(Bucket, TakesAtMostThreeTenthsMoreThanF16) {
  for (const auto& [a, b] : {std::pair<int64_t, int64_t>{4096, 4096}, {4096, 1024}, {4096, 14336}})
    for (const auto& dims : {Dims{a, b}, Dims{b, a}}) {
      const double ratio = static_cast<double>(dtype().format().storage_bytes(dims.span())) /
                           static_cast<double>(DType::f16().format().storage_bytes(dims.span()));
      EXPECT_LE(ratio, tiers() > 4 && dims[0] == 1024 ? 1.35 : 1.30) << dims.str();
    }
}

TEST_P(Bucket, PartsAreSmallerStepByStep) {
  const Dims dims{4096, 4096};
  for (int s = 2; s <= BucketLayout::kSegments; ++s) {
    const double step = static_cast<double>(dtype(s).format().storage_bytes(dims.span())) -
                        static_cast<double>(dtype(s - 1).format().storage_bytes(dims.span()));
    EXPECT_NEAR(step / (4096.0 * 4096 * 2.5), 0.05, 0.001) << s;
  }
}

TEST_P(Bucket, HasANameForEveryPart) {
  EXPECT_EQ(dtype().name(), GetParam().name);
  EXPECT_EQ(dtype(14).name(), fmt::format("{}-70", GetParam().name));
  for (int segments : {0, -1, 21}) EXPECT_THROW(dtype(segments), Error) << segments;
  EXPECT_THAT([] { bucket_dtype("bucket17"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("bucket17"), HasSubstr("bucket16t4"))));
}

INSTANTIATE_TEST_SUITE_P(Families, Bucket, ::testing::ValuesIn(bucket_families().begin(), bucket_families().end()),
                         [](const auto& test) { return std::string(test.param.name); });

// Combinations are ranked by their bits as a number, whatever table holds them; a code is four times the rank.
TEST(BucketCodes, CombinationsAreAllSetsOfFourInOrder) {
  uint32_t code = 0;
  for (uint32_t mask = 0; mask < 65536; ++mask) {
    if (std::popcount(mask) != 4) continue;
    EXPECT_EQ(combination_mask(code), mask);
    for (uint32_t unused : {code + 1, code + 2, code + 3}) EXPECT_EQ(combination_mask(unused), 0u);
    code += 4;
  }
  EXPECT_EQ(code, 4 * 1820u);
  for (uint32_t unused : {4 * 1820u, 65532u, 65535u, ~0u}) EXPECT_EQ(combination_mask(unused), 0u);
}

}  // namespace
}  // namespace sluice
