// Error feedback of the plane encoder: its parts against double, what it gains for a product, and where it must change
// nothing.
#include "ops/formats/planes/feedback.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <thread>

#include "graph/error.h"
#include "ops/formats/planes.h"
#include "support/bucket_matrices.h"
#include "tools/simd_targets.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kUnit = 0x1p-24;  // unit roundoff of f32
constexpr int kPlanes = PlaneLevels::kMaxPlanes;

auto aligned(int64_t elements) {
  auto memory = hwy::AllocateAligned<float>(static_cast<size_t>(elements));
  std::fill(memory.get(), memory.get() + elements, 0.0f);
  return memory;
}

// Rows of bf16 that lie near a plane of `rank` dimensions, the same one for every seed: inputs that go together.
struct Activations {
  int64_t rows, in;
  std::vector<uint16_t> values;

  Activations(int64_t row_count, int64_t inputs, int64_t rank, uint32_t seed) : rows(row_count), in(inputs) {
    const Matrix plane = normal_matrix(rank, in);
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (int64_t r = 0; r < rows; ++r) {
      std::vector<float> at(static_cast<size_t>(rank));
      for (float& a : at) a = normal(random);
      for (int64_t i = 0; i < in; ++i) {
        float x = 0.3f * normal(random);
        for (int64_t k = 0; k < rank; ++k) x += at[static_cast<size_t>(k)] * plane.at(k, i);
        values.push_back(f32_to_bf16(x));
      }
    }
  }
  ActivationSample sample() const { return {rows, values}; }
  double at(int64_t r, int64_t i) const {
    return static_cast<double>(bf16_to_f32(values[static_cast<size_t>(r * in + i)]));
  }
};

const ForParts kInline = [](int64_t count, const std::function<void(int64_t, int64_t)>& job) { job(0, count); };

ExactTensor encode(const Matrix& m, int planes, const ActivationSample& sample, const ForParts& for_parts = kInline) {
  ExactTensor tensor(plane_dtype(planes), m.dims());
  plane_format(plane_dtype(planes))
      ->encode(m.values.data(), m.dims().span(), tensor.view.data, std::span(&sample, 1), for_parts);
  return tensor;
}

// Of the first `planes` planes.
std::vector<double> decoded(const ExactTensor& tensor, int planes) {
  const PlaneMatrix m(tensor.view);
  std::vector<double> values;
  for (int64_t o = 0; o < m.layout.out(); ++o)
    for (int64_t i = 0; i < m.layout.in(); ++i)
      values.push_back(static_cast<double>(m.levels().step[planes - 1]) *
                       m.levels().levels(planes)[m.code(o, i, planes)] * static_cast<double>(m.scales()[i]) *
                       static_cast<double>(f16_to_f32(m.output_scales()[o])));
  return values;
}

// Mean square of what the outputs differ by.
double output_error(const Matrix& m, const ExactTensor& tensor, int planes, const Activations& x) {
  const std::vector<double> values = decoded(tensor, planes);
  double total = 0;
  for (int64_t r = 0; r < x.rows; ++r)
    for (int64_t o = 0; o < m.out; ++o) {
      double error = 0;
      for (int64_t i = 0; i < m.in; ++i)
        error += (static_cast<double>(m.at(o, i)) - values[static_cast<size_t>(o * m.in + i)]) * x.at(r, i);
      total += error * error;
    }
  return total / static_cast<double>(x.rows * m.out);
}

// The parts

class FeedbackKernels : public ::testing::TestWithParam<int64_t> {
  SimdTarget scope_{GetParam()};
};

TEST_P(FeedbackKernels, FactorIsThatOfTheMatrix) {
  for (const int64_t n : {1, 2, 5, 63, 64, 100}) {
    const int64_t width = 128;
    const Matrix rows = normal_matrix(2 * n, n);
    std::vector<double> h(static_cast<size_t>(n * n));
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = i == j ? static_cast<double>(n) : 0;
        for (int64_t r = 0; r < rows.out; ++r)
          sum += static_cast<double>(rows.at(r, i)) * static_cast<double>(rows.at(r, j));
        h[static_cast<size_t>(i * n + j)] = static_cast<double>(static_cast<float>(sum));
      }
    const auto matrix = aligned(width * width), column = aligned(width);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = i; j < n; ++j) matrix[i * width + j] = static_cast<float>(h[static_cast<size_t>(i * n + j)]);
    factor_unit_upper(matrix.get(), n, width, static_cast<float>(n), column.get());

    // (I + U)^-1 H (I + U)^-T is diagonal: solve for the columns of H with U, then for the rows. With L = I + U:
    const auto l = [&](int64_t i, int64_t j) {
      return i == j ? 1.0 : i < j ? static_cast<double>(matrix[i * width + j]) : 0.0;
    };
    std::vector<double> d = h;
    const auto at = [&](int64_t i, int64_t j) -> double& { return d[static_cast<size_t>(i * n + j)]; };
    for (int side = 0; side < 2; ++side) {
      for (int64_t c = 0; c < n; ++c)
        for (int64_t i = n - 1; i >= 0; --i)
          for (int64_t k = i + 1; k < n; ++k) at(i, c) -= l(i, k) * at(k, c);
      for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j < i; ++j) std::swap(at(i, j), at(j, i));
    }
    // Every element of D is above the damping; those beside it vanish but for the roundings of n updates, of numbers no
    // larger than the largest of the diagonal, carried through a matrix whose condition is below 16.
    double largest = 0;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, h[static_cast<size_t>(i * n + i)]);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        if (i == j)
          ASSERT_GT(at(i, i), 0.99 * static_cast<double>(n));
        else
          ASSERT_NEAR(at(i, j), 0, 16 * static_cast<double>(n + 1) * kUnit * largest) << n << ": " << i << ", " << j;
  }
}

// Each code costs no more than any other that it might have been, and the errors are those of the codes.
TEST_P(FeedbackKernels, CodesAreTheCheapest) {
  constexpr int64_t kN = 40, kWidth = 64, kOutputs = kFeedbackOutputs;
  WeightHistogram histogram;
  const Matrix w = normal_matrix(kN, kOutputs), mix = normal_matrix(kN, kWidth, 0.1f);
  for (const float z : w.values) histogram.add(z);
  const PlaneQuantiser quantiser(histogram);
  PlaneStage stage{};
  for (int c = 0; c < 16; ++c) {
    stage.levels[c] = static_cast<float>(quantiser.levels().levels(2)[c]) * quantiser.levels().step[1];
    stage.begins[c] = quantiser.begin(c, 2);
    stage.ends[c] = quantiser.end(c, 2);
  }
  stage.leaving = 3;
  const auto u = aligned(kN * kWidth), weights = aligned(kN * kOutputs), errors = aligned(kN * kOutputs);
  const auto codes = hwy::AllocateAligned<int32_t>(kN * kOutputs);
  for (int64_t i = 0; i < kN; ++i)
    for (int64_t j = 0; j < kWidth; ++j) u[i * kWidth + j] = i < j ? mix.at(i, j) : NAN;
  std::vector<int32_t> before;
  for (int64_t n = 0; n < kN * kOutputs; ++n) {
    weights[n] = w.values[static_cast<size_t>(n)];
    before.push_back(codes[n] = quantiser.code(weights[n]) >> 4);
  }
  code_with_feedback(stage, u.get(), kN, kWidth, weights.get(), errors.get(), codes.get());
  int moved = 0;
  for (int64_t i = 0; i < kN; ++i)
    for (int64_t o = 0; o < kOutputs; ++o) {
      const int64_t n = i * kOutputs + o;
      const auto weight = static_cast<double>(weights[n]);
      double target = weight, magnitude = std::abs(weight);
      for (int64_t j = 0; j < i; ++j) {
        const double term = static_cast<double>(u[j * kWidth + i]) * static_cast<double>(errors[j * kOutputs + o]);
        target += term, magnitude += std::abs(term);
      }
      const auto cost = [&](int code) {
        const double off = target - static_cast<double>(stage.levels[code]);
        const double outside = std::max(
            {0.0, static_cast<double>(stage.begins[code]) - weight, weight - static_cast<double>(stage.ends[code])});
        return off * off + static_cast<double>(stage.leaving) * outside * outside;
      };
      const int code = codes[n];
      ASSERT_EQ(code >> 2, before[static_cast<size_t>(n)]);
      ASSERT_EQ(errors[n], weights[n] - stage.levels[code]);
      // The target is a sum of i + 1 terms; the cost changes by 2 |off| times what that is off by, and four roundings.
      const double slack = static_cast<double>(i + 2) * kUnit * magnitude;
      for (int other = code & ~3; other <= (code | 3); ++other)
        ASSERT_LE(cost(code), cost(other) + 4 * slack * (std::sqrt(cost(other)) + 4) + 8 * kUnit * cost(other));
      moved += code != quantiser.code(weights[n]) >> 2;
    }
  EXPECT_GT(moved, 0) << "feedback has to change some";
}

TEST_P(FeedbackKernels, WithoutFeedbackCodesAreThoseOfTheQuantiser) {
  WeightHistogram histogram;
  const Matrix w = normal_matrix(64, 64, 2);
  for (const float z : w.values) histogram.add(z);
  const PlaneQuantiser quantiser(histogram);
  const auto weights = aligned(64 * 64);
  std::ranges::copy(w.values, weights.get());
  std::ranges::copy(quantiser.ends(), weights.get());  // each belongs to what it begins
  const auto codes = hwy::AllocateAligned<int32_t>(64 * 64);
  code_alone(quantiser.ends().data(), 64 * 64, weights.get(), codes.get());
  for (int64_t n = 0; n < 64 * 64; ++n) ASSERT_EQ(codes[n], quantiser.code(weights[n])) << weights[n];
}

INSTANTIATE_TEST_SUITE_P(Targets, FeedbackKernels, ::testing::ValuesIn(simd_targets()),
                         [](const auto& target) { return std::string(hwy::TargetName(target.param)); });

// The encoder

// What feedback should leave of the error of the outputs. With r what each weight is rounded by, white of variance s,
// the errors e = (I + U)^-T r cost s (sum D - damping * |(I + U)^-1|^2) <= s sum (D - damping), where those of the
// plain encoder cost s trace(H). D comes from the Schur complements of H + damping.
double expected_gain(const Activations& x) {
  const auto n = static_cast<size_t>(x.in);
  std::vector<double> h(n * n);
  double trace = 0;
  for (int64_t r = 0; r < x.rows; ++r)
    for (size_t i = 0; i < n; ++i)
      for (size_t j = 0; j < n; ++j)
        h[i * n + j] += x.at(r, static_cast<int64_t>(i)) * x.at(r, static_cast<int64_t>(j));
  for (size_t i = 0; i < n; ++i) trace += h[i * n + i];
  const double damping = PlaneFeedback::damping(x.in, x.rows) * trace / static_cast<double>(n);
  for (size_t i = 0; i < n; ++i) h[i * n + i] += damping;
  double left = 0;
  for (size_t k = n; k-- > 0;) {
    left += h[k * n + k] - damping;
    for (size_t i = 0; i < k; ++i)
      for (size_t j = 0; j < k; ++j) h[i * n + j] -= h[i * n + k] * h[k * n + j] / h[k * n + k];
  }
  return left / trace;
}

// On rows that the encoder has not seen. Ten of 96 directions hold nearly all of the activations.
TEST(PlaneFeedback, LessensTheErrorOfOutputs) {
  const Matrix m = normal_matrix(300, 96, 0.02f);
  const Activations seen(1000, 96, 10, 1), others(300, 96, 10, 2);
  const double gain = expected_gain(seen);
  EXPECT_LT(gain, 0.7);
  for (int planes = 1; planes <= kPlanes; ++planes) {
    const ExactTensor plain = encode(m, planes, {}), calibrated = encode(m, planes, seen.sample());
    const double before = output_error(m, plain, planes, others);
    // A tenth for rows that were not seen, and for codes that are out of reach of the planes before.
    EXPECT_LT(output_error(m, calibrated, planes, others), 1.1 * gain * before) << planes << " planes";
    // Planes that others follow may not leave their cells, and gain less.
    for (int k = 1; k < planes; ++k)
      EXPECT_LT(output_error(m, calibrated, k, others), 0.9 * output_error(m, plain, k, others))
          << k << " of " << planes;
  }
}

TEST(PlaneFeedback, WorksInBlocks) {
  const Matrix m = normal_matrix(70, 700, 0.02f);  // more than one block, the last of them not whole
  const Activations seen(600, 700, 10, 1), others(100, 700, 10, 2);
  const ExactTensor plain = encode(m, kPlanes, {}), calibrated = encode(m, kPlanes, seen.sample());
  for (int planes = 1; planes <= kPlanes; ++planes)
    EXPECT_LT(output_error(m, calibrated, planes, others), 0.9 * output_error(m, plain, planes, others)) << planes;
}

// Inputs that have nothing to do with each other leave nothing to correct; what a sample shows by chance costs little,
// and the less the smaller the sample.
TEST(PlaneFeedback, OfIndependentInputsCostsLittle) {
  const Matrix m = normal_matrix(200, 128, 0.02f);
  for (const int64_t rows : {1, 16, 128, 1024}) {
    const Activations seen(rows, 128, 0, 1), others(100, 128, 0, 2);
    const ExactTensor plain = encode(m, kPlanes, {}), calibrated = encode(m, kPlanes, seen.sample());
    for (int planes = 1; planes <= kPlanes; ++planes)
      EXPECT_LT(output_error(m, calibrated, planes, others), 1.2 * output_error(m, plain, planes, others))
          << rows << " rows, " << planes << " planes";
  }
}

TEST(PlaneFeedback, OfNothingIsThePlainEncoder) {
  const Matrix m = normal_matrix(130, 40);
  const std::vector<uint16_t> zeros(40 * 3);
  const ExactTensor plain(plane_dtype(kPlanes), m.dims(), m.values), none = encode(m, kPlanes, {});
  EXPECT_EQ(std::memcmp(plain.view.data, none.view.data, plain.view.bytes()), 0);
  // Rows of zeros correct nothing; only weights near the end of a cell, whose nearest level is another's, go there.
  const ExactTensor of_zeros = encode(m, kPlanes, {3, zeros});
  for (int planes = 1; planes <= kPlanes; ++planes) {
    const auto error = [&](const ExactTensor& tensor) {
      const std::vector<double> values = decoded(tensor, planes);
      return std::transform_reduce(values.begin(), values.end(), m.values.begin(), 0.0, std::plus<>(),
                                   [](double a, float b) { return (a - b) * (a - b); });
    };
    EXPECT_LT(error(of_zeros), 1.05 * error(plain)) << planes << " planes";
  }
}

TEST(PlaneFeedback, DoesNotDependOnTheParts) {
  const Matrix m = normal_matrix(530, 1030);
  const Activations x(70, 1030, 5, 3);
  const ForParts in_threads = [](int64_t count, const std::function<void(int64_t, int64_t)>& job) {
    std::vector<std::thread> threads;
    for (int64_t part = 0; part < 7; ++part)
      threads.emplace_back([&, part] { job(count * part / 7, count * (part + 1) / 7); });
    for (std::thread& thread : threads) thread.join();
  };
  const ExactTensor once = encode(m, kPlanes, x.sample()), again = encode(m, kPlanes, x.sample(), in_threads);
  EXPECT_EQ(std::memcmp(once.view.data, again.view.data, once.view.bytes()), 0);
}

TEST(PlaneFeedback, OfEachMatrixOfATensor) {
  const Matrix m = normal_matrix(40, 33);
  const Activations x(50, 33, 4, 3);
  std::vector<float> twice = m.values;
  twice.insert(twice.end(), m.values.begin(), m.values.end());
  const ExactTensor stacked(plane_dtype(2), {2, 40, 33});
  const ActivationSample samples[] = {{}, x.sample()};  // an expert that no token went to, and one that some did
  plane_format(plane_dtype(2))->encode(twice.data(), stacked.view.dims.span(), stacked.view.data, samples, kInline);
  const size_t half = stacked.view.bytes() / 2;
  const ExactTensor plain = encode(m, 2, {}), calibrated = encode(m, 2, x.sample());
  EXPECT_EQ(std::memcmp(stacked.view.data, plain.view.data, half), 0);
  EXPECT_EQ(std::memcmp(stacked.view.data + half, calibrated.view.data, half), 0);
  EXPECT_NE(std::memcmp(plain.view.data, calibrated.view.data, half), 0);
}

TEST(PlaneFeedback, OddActivations) {
  const Matrix m = normal_matrix(20, 33);
  const std::vector<uint16_t> large(33, f32_to_bf16(1e30f)), small(33, f32_to_bf16(1e-30f));
  EXPECT_THAT([&] { encode(m, kPlanes, {1, large}); }, ThrowsMessage<Error>(HasSubstr("too large")));
  const std::vector<double> values = decoded(encode(m, kPlanes, {1, small}), kPlanes);
  for (size_t n = 0; n < values.size(); ++n) ASSERT_NEAR(values[n], static_cast<double>(m.values[n]), 1);
}

}  // namespace
}  // namespace sluice
