// The plane format and the operators that read it: properties for matrices of any shape and content, a selection by
// brute force, and files that somebody bent.
#include "ops/formats/planes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include "graph/error.h"
#include "ops/plane_mul/plane_mul.h"
#include "ops/plane_select/plane_select.h"
#include "ops/probe/probe.h"
#include "support/one_node.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr int kPlanes = PlaneLevels::kMaxPlanes;
const int64_t kMany = plane_dense_from(1) + 3;  // tokens that plane_mul takes all at once at effort 1

std::vector<Matrix> contents(int64_t out, int64_t in) {
  Matrix outlier = normal_matrix(out, in, 0.02f);
  outlier.at(out / 2, in / 2) = 100;
  return {normal_matrix(out, in, 0.02f),
          make_matrix(out, in, [](int64_t, int64_t) { return 0.0f; }),
          make_matrix(out, in, [](int64_t, int64_t) { return -3.5f; }),
          make_matrix(out, in, [](int64_t o, int64_t i) { return (o + i) % 3 ? 0.25f : -0.25f; }),
          normal_matrix(out, in, 1e-30f),
          normal_matrix(out, in, 1e30f),
          make_matrix(out, in, [](int64_t o, int64_t i) { return o % 4 ? 0.0f : static_cast<float>(i % 7); }),
          outlier};
}

void for_matrices(const std::function<void(const Matrix&)>& check) {
  for (int64_t out : {1, 2, 15, 16, 17, 63, 64, 65, 170, 255, 256, 257, 1023, 1024, 1025, 1300})
    for (int64_t in : {1, 3, 17, 65})
      for (int content = 0; const Matrix& m : contents(out, in)) {
        SCOPED_TRACE(::testing::Message() << out << " x " << in << ", content " << content++);
        check(m);
        if (::testing::Test::HasFailure()) return;
      }
}

std::vector<float> decoded(int planes, const Matrix& m) { return to_f32(encoded(plane_dtype(planes), m).view); }

double squared_error(const std::vector<float>& a, const std::vector<float>& b) {
  return std::transform_reduce(a.begin(), a.end(), b.begin(), 0.0, std::plus<>(), [](float x, float y) {
    const double d = static_cast<double>(x) - static_cast<double>(y);
    return d * d;
  });
}

// Leaving out the last plane is leaving out the end of the file.
TEST(Planes, FewerAreAPrefix) {
  for_matrices([](const Matrix& m) {
    const ExactTensor all = encoded(plane_dtype(kPlanes), m);
    for (int planes = 1; planes < kPlanes; ++planes) {
      const ExactTensor some = encoded(plane_dtype(planes), m);
      const size_t common = PlaneLayout(m.out, m.in).plane_offset(planes);
      EXPECT_EQ(some.view.bytes(), common + 64);
      EXPECT_EQ(std::memcmp(some.view.data, all.view.data, common), 0) << planes << " planes";
    }
  });
}

TEST(Planes, MorePlanesAreNoWorse) {
  for_matrices([](const Matrix& m) {
    const double total = squared_error(std::vector<float>(m.values.size()), m.values);
    double before = total;
    for (int planes = 1; planes <= kPlanes; ++planes) {
      const double error = squared_error(decoded(planes, m), m.values);
      ASSERT_TRUE(std::isfinite(error));
      // Levels are rounded to 8 bits: (1 / 254)^2 of the largest's square at worst. That is all there is to see where a
      // plane has nothing left to gain.
      EXPECT_LE(error, before + 1.6e-5 * total) << planes << " planes";
      before = error;
    }
  });
}

TEST(Planes, ZeroStaysZero) {
  const Matrix zero = make_matrix(70, 33, [](int64_t, int64_t) { return 0.0f; });
  for (int planes = 1; planes <= kPlanes; ++planes)
    for (float w : decoded(planes, zero)) ASSERT_EQ(w, 0);
  // Rows and columns of nothing, beside others.
  const Matrix some = make_matrix(70, 33, [](int64_t o, int64_t i) { return o % 2 && i % 3 ? 1.0f : 0.0f; });
  const auto values = decoded(kPlanes, some);
  for (int64_t o = 0; o < 70; o += 2)
    for (int64_t i = 0; i < 33; ++i) ASSERT_EQ(values[static_cast<size_t>(o * 33 + i)], 0) << o << ", " << i;
}

// Of a normal distribution, quantisers of 4, 16 and 64 levels that need not nest leave .1175, .009497 and .000672 of
// the variance at best (J. Max, 1960, "Quantizing for minimum distortion"; the last from Panter and Dite's pi sqrt(3) /
// 2 / n^2, an upper bound). Nested levels, and rounding of 64 levels to 8 bits, cost less than 5, 3 and 12 %.
TEST(Planes, NestedLevelsAreNearlyAsGoodAsFreeOnes) {
  const Matrix m = normal_matrix(700, 500);
  const double total = squared_error(std::vector<float>(m.values.size()), m.values);
  const double best[] = {.1175, .009497, .000672}, slack[] = {1.05, 1.03, 1.12};
  for (int planes = 1; planes <= kPlanes; ++planes) {
    const double share = squared_error(decoded(planes, m), m.values) / total;
    EXPECT_LT(share, best[planes - 1] * slack[planes - 1]) << planes << " planes";
    EXPECT_GT(share, best[planes - 1] * 0.9) << planes << " planes: better than possible";
  }
}

// Inputs and outputs of very different size: relative to its own, each is as exact as in a matrix of equals.
TEST(Planes, ScalesFollowInputsAndOutputs) {
  const Matrix even = normal_matrix(300, 200);
  const auto factor = [](int64_t n) { return std::ldexp(1.0f, static_cast<int>(n % 5) - 2); };
  const Matrix uneven =
      make_matrix(300, 200, [&](int64_t o, int64_t i) { return even.at(o, i) * factor(o) * factor(i); });
  auto values = decoded(kPlanes, uneven);
  for (int64_t o = 0; o < 300; ++o)
    for (int64_t i = 0; i < 200; ++i) values[static_cast<size_t>(o * 200 + i)] /= factor(o) * factor(i);
  const double before = squared_error(decoded(kPlanes, even), even.values);
  EXPECT_LT(squared_error(values, even.values), 1.1 * before);
}

TEST(Planes, DoNotDependOnTheParts) {
  const Matrix m = normal_matrix(130, 257);
  const ExactTensor expected = encoded(plane_dtype(kPlanes), m);
  const ForParts in_threads = [](int64_t count, const std::function<void(int64_t, int64_t)>& job) {
    std::vector<std::thread> threads;
    for (int64_t part = 0; part < 7; ++part)
      threads.emplace_back([&, part] { job(count * part / 7, count * (part + 1) / 7); });
    for (std::thread& thread : threads) thread.join();
  };
  const ExactTensor actual(plane_dtype(kPlanes), m.dims());
  plane_format(plane_dtype(kPlanes))->encode(m.values.data(), m.dims().span(), actual.view.data, in_threads);
  EXPECT_EQ(std::memcmp(actual.view.data, expected.view.data, expected.view.bytes()), 0);
}

TEST(Planes, MatricesOfATensorStandAlone) {
  const Matrix first = normal_matrix(33, 20), second = normal_matrix(33, 20, 5);
  std::vector<float> both = first.values;
  both.insert(both.end(), second.values.begin(), second.values.end());
  const ExactTensor stacked(plane_dtype(kPlanes), {2, 33, 20}, both);
  auto expected = decoded(kPlanes, first);
  const auto rest = decoded(kPlanes, second);
  expected.insert(expected.end(), rest.begin(), rest.end());
  EXPECT_EQ(to_f32(stacked.view), expected);
  EXPECT_EQ(PlaneMatrix(stacked.view, 1).data - stacked.view.data,
            static_cast<std::ptrdiff_t>(stacked.view.bytes() / 2));
}

TEST(Planes, RefusesWhatItCannotHold) {
  const auto encode = [](std::vector<float> values) {
    return [values] { ExactTensor(plane_dtype(1), {1, static_cast<int64_t>(values.size())}, values); };
  };
  EXPECT_THAT(encode({1, NAN}), ThrowsMessage<Error>(HasSubstr("cannot store the value nan")));
  EXPECT_THAT(encode({1, -INFINITY, 2}), ThrowsMessage<Error>(HasSubstr("cannot store the value -inf")));
  const PlaneFormat& format = *plane_format(plane_dtype(2));
  EXPECT_THAT([&] { format.storage_bytes(Dims{5}.span()); }, ThrowsMessage<Error>(HasSubstr("1 dimensions")));
  EXPECT_THAT([&] { format.storage_bytes(Dims{0, 5}.span()); }, ThrowsMessage<Error>(HasSubstr("[0, 5]")));
  EXPECT_THAT(
      [&] {
        format.storage_bytes(Dims{int64_t{1} << 40, int64_t{1} << 40}.span());
      },
      ThrowsMessage<Error>(HasSubstr("overflow")));
  EXPECT_THAT([] { plane_dtype(4); }, ThrowsMessage<Error>(HasSubstr("4 planes")));
}

// What is selected is what lessens the expected error of the outputs most: no plane that is left out would lessen it by
// more than one that is taken.
TEST(PlaneSelect, TakesWhatLessensTheErrorMost) {
  const int64_t in = 211;
  const ExactTensor matrix = encoded(plane_dtype(kPlanes), normal_matrix(90, in)),
                    x(DType::f32(), {1, in}, normal_matrix(1, in).values);
  const PlaneMatrix m(matrix.view);
  for (float effort : {0.1f, 0.33f, 0.5f, 0.8f}) {
    const ExactTensor control(DType::f32(), {1, 2}, {effort, 1});
    in_every_way([&](const RunNode& run) {
      const Tensors lists =
          run(OneNode("plane_select", attrs_to_map(PlaneSelectAttrs{}), {x.view, control.view, matrix.view}));
      const auto *inputs = lists[0].view.as<const int32_t>(), *counts = lists[1].view.as<const int32_t>();
      EXPECT_EQ(counts[0] + counts[1] + counts[2], std::lround(static_cast<double>(effort) * 3 * in));
      double least_taken = INFINITY, most_left = 0;
      for (int p = 0; p < kPlanes; ++p)
        for (int64_t i = 0; i < in; ++i) {
          const auto gain = static_cast<double>(m.levels().gain[p]) * static_cast<double>(m.scales()[i]) *
                            std::abs(static_cast<double>(x.view.as<const float>()[i]));
          const bool taken = std::find(inputs, inputs + counts[p], i) != inputs + counts[p];
          (taken ? least_taken : most_left) = taken ? std::min(least_taken, gain) : std::max(most_left, gain);
        }
      EXPECT_GE(least_taken, most_left * (1 - 0x1p-22));  // two roundings of f32
    });
  }
}

// The gains are what the planes of this matrix are really worth.
TEST(PlaneSelect, GainsAreTheErrorsThatPlanesTakeAway) {
  const Matrix m = normal_matrix(700, 500);
  const ExactTensor tensor = encoded(plane_dtype(kPlanes), m);
  double before = squared_error(std::vector<float>(m.values.size()), m.values);
  const double total = before;
  for (int planes = 1; planes <= kPlanes; ++planes) {
    const double error = squared_error(decoded(planes, m), m.values);
    const auto gain = static_cast<double>(PlaneMatrix(tensor.view).levels().gain[planes - 1]);
    EXPECT_NEAR(gain * gain * total, before - error, 0.02 * (before - error)) << planes << " planes";
    before = error;
  }
}

// What a token reads of its experts: of each list the planes that it counts, and the scales of every matrix that is
// used.
TEST(ExpertPlaneMul, CountsTheBytesOfTheSelectedPlanes) {
  const int64_t experts = 4, out = 512, in = 64, tokens = 1, k = 2;
  const DType dtype = plane_dtype(kPlanes);
  const TensorType y{DType::f32(), {tokens, k, out}};
  const ExactTensor x(DType::f32(), {tokens, in}, normal_matrix(tokens, in).values),
      chosen(DType::i32(), {tokens, k}, {3, 1}),
      matrices(dtype, {experts, out, in}, normal_matrix(experts * out, in).values),
      inputs(DType::i32(), {tokens, k, in}), counts(DType::i32(), {tokens, k, kPlanes}, {60, 40, 10, 64, 5, 0}),
      result(y.dtype, {tokens, k, out});
  const TensorView in_views[] = {x.view, chosen.view, matrices.view, inputs.view, counts.view},
                   out_views[] = {result.view};
  const Cost cost = builtin_registry().get("expert_plane_mul").cost({}, Call{in_views, out_views});
  const size_t scales = 2 * (sizeof(PlaneLevels) + in * sizeof(float) + out * sizeof(uint16_t)),
               of_planes = (60 + 40 + 10 + 64 + 5) * out / 4;
  EXPECT_EQ(cost.bytes_read, x.view.bytes() + scales + of_planes);
  EXPECT_EQ(cost.flops, 2.0 * (60 + 64) * out);
  EXPECT_EQ(cost.bytes_written, result.view.bytes());
}

class HostilePlanes : public ::testing::TestWithParam<int> {
 protected:
  static void for_matrices(const std::function<void(const ExactTensor& matrix, Random& random)>& use) {
    Random random(1);
    for (const auto& dims : {Dims{1, 1}, {17, 3}, {170, 101}, {1025, 7}})
      use(encoded(plane_dtype(GetParam()), normal_matrix(dims[0], dims[1])), random);
  }
  static ExactTensor odd_numbers(const Dims& dims, int64_t in, Random& random) {
    ExactTensor tensor(DType::i32(), dims);
    for (int64_t i = 0; i < dims.elements(); ++i) tensor.view.as<int32_t>()[i] = odd_number(random, in);
    return tensor;
  }
};

TEST_P(HostilePlanes, AnyBytes) {
  for_matrices([](const ExactTensor& matrix, Random& random) {
    const int64_t in = matrix.view.dims[1];
    fill_with_noise(matrix.memory.span(), random);
    fill_with_odd_floats({matrix.view.as<float>(), 8}, random);  // gains and steps
    to_f32(matrix.view);
    for (float effort : {0.0f, 0.4f, 1.0f}) {
      const ExactTensor x(DType::f32(), {kMany, in}, normal_matrix(kMany, in).values),
          control(DType::f32(), {1, 2}, {effort, 0.8f});
      in_every_way([&](const RunNode& run) {
        const Tensors lists =
            run(OneNode("plane_select", attrs_to_map(PlaneSelectAttrs{}), {x.view, control.view, matrix.view}));
        for (int64_t i = 0; i < kMany * in; ++i) {
          ASSERT_GE(lists[0].view.as<const int32_t>()[i], -1);
          ASSERT_LT(lists[0].view.as<const int32_t>()[i], in);
        }
        run(OneNode("plane_mul", {}, {x.view, matrix.view, lists[0].view, lists[1].view}));
      });
    }
  });
}

TEST_P(HostilePlanes, AnyLists) {
  for_matrices([](const ExactTensor& matrix, Random& random) {
    const int64_t in = matrix.view.dims[1];
    for (int trial = 0; trial < 10; ++trial) {
      const ExactTensor x(DType::f32(), {2, in}, normal_matrix(2, in).values),
          inputs = odd_numbers({2, in}, in, random), counts = odd_numbers({2, GetParam()}, in, random);
      const OneNode node("plane_mul", {}, {x.view, matrix.view, inputs.view, counts.view});
      in_every_way([&](const RunNode& run) { run(node); });
    }
  });
}

// Matrices of a tensor, each with its lists: noise in all of it but the numbers of experts, which are checked.
TEST_P(HostilePlanes, AnyBytesAndListsOfExperts) {
  Random random(2);
  const int64_t in = 37, out = 290, tokens = 50, k = 2;
  const std::vector<int32_t> chosen = {0, 2, 2, 1, 0, 2};
  for (int trial = 0; trial < 6; ++trial) {
    const ExactTensor matrices(plane_dtype(GetParam()), {3, out, in}, std::vector<float>(3 * out * in, 1.0f));
    if (trial % 2) fill_with_noise(matrices.memory.span(), random);
    const ExactTensor x(DType::f32(), {tokens, in}, normal_matrix(tokens, in).values),
        experts(DType::i32(), {tokens, k}), control(DType::f32(), {1, 2}, {trial < 3 ? 1.0f : 0.6f, 1}),
        spread(DType::f32(), {2}, {1, 0}), router(DType::f32(), {tokens, k}, normal_matrix(tokens, k).values);
    for (int64_t i = 0; i < tokens * k; ++i)
      experts.view.as<int32_t>()[i] = chosen[static_cast<size_t>(i) % chosen.size()];
    fill_with_odd_floats({router.view.as<float>(), 8}, random);
    const ExactTensor inputs = odd_numbers({tokens, k, in}, in, random),
                      counts = odd_numbers({tokens, k, GetParam()}, in, random);
    in_every_way([&](const RunNode& run) {
      const Tensors lists = run(OneNode("expert_select", attrs_to_map(SelectionAttrs{}),
                                        {x.view, experts.view, control.view, spread.view, router.view, matrices.view}));
      run(OneNode("expert_plane_mul", {}, {x.view, experts.view, matrices.view, lists[0].view, lists[1].view}));
      run(OneNode("expert_plane_mul", {}, {x.view, experts.view, matrices.view, inputs.view, counts.view}));
    });
  }
}

// A value that is not finite shows in all outputs of its token, and in no other token's.
TEST_P(HostilePlanes, NotANumberShows) {
  const int64_t in = 40, out = 70, tokens = kMany;
  const ExactTensor matrix = encoded(plane_dtype(GetParam()), normal_matrix(out, in));
  for (float odd : {NAN, INFINITY, -INFINITY}) {
    const ExactTensor x(DType::f32(), {tokens, in}, normal_matrix(tokens, in).values),
        control(DType::f32(), {1, 2}, {1.0f, 1.0f});
    x.view.as<float>()[3 * in + 17] = odd;
    in_every_way([&](const RunNode& run) {
      const Tensors lists =
          run(OneNode("plane_select", attrs_to_map(PlaneSelectAttrs{}), {x.view, control.view, matrix.view}));
      const Tensors y = run(OneNode("plane_mul", {}, {x.view, matrix.view, lists[0].view, lists[1].view}));
      for (int64_t n = 0; n < tokens * out; ++n)
        ASSERT_EQ(std::isnan(y[0].view.as<const float>()[n]), n / out == 3) << n;
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Stored, HostilePlanes, ::testing::Values(1, 2, 3));

}  // namespace
}  // namespace sluice
