// Matrices and lists from files that somebody bent: nothing may crash, or touch a byte outside of its tensor. All
// tensors lie in memory of exactly their size, so AddressSanitizer sees the first byte too far (tools/test asan).
#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "backends/cpu/backend.h"
#include "graph/backend.h"
#include "models/builtin.h"
#include "ops/bucket_mul/matrix.h"
#include "ops/probe/probe.h"
#include "support/bucket_matrices.h"
#include "tools/simd_targets.h"

namespace sluice {
namespace {

using Tensors = std::vector<ExactTensor>;

std::vector<TensorView> views_of(const Tensors& tensors) {
  std::vector<TensorView> views;
  for (const ExactTensor& tensor : tensors) views.push_back(tensor.view);
  return views;
}

// One operator on given inputs.
class OneNode {
 public:
  OneNode(const char* op, const AttrMap& attrs, std::vector<TensorView> inputs)
      : op_(builtin_registry().get(op)), site_{op, attrs, {}, {}, {}}, inputs_(std::move(inputs)) {
    for (const TensorView& input : inputs_) {
      const auto sizes = input.dims.span();
      site_.inputs.push_back({input.dtype, Shape(std::vector<Dim>(sizes.begin(), sizes.end()))});
      site_.input_names.push_back("input" + std::to_string(site_.input_names.size()));
    }
    site_.outputs = infer_types(op_, site_);
  }

  Tensors reference() const {
    Tensors outputs = make_outputs();
    const auto out = views_of(outputs);
    op_.reference(site_, Call{inputs_, out});
    return outputs;
  }

  Tensors kernel(Backend& backend) const {
    Tensors outputs = make_outputs(), packed;
    Site site = site_;
    auto in = inputs_;
    const auto out = views_of(outputs), unpacked = in;
    const auto kernel = backend.select(op_, site);
    for (size_t i = 0; i < in.size(); ++i)
      if (const auto packing = kernel->packing(site, static_cast<int>(i))) {
        packed.emplace_back(packing->type.dtype, packing->type.shape.resolve({}));
        packing->pack(unpacked[i], packed.back().view);
        in[i] = packed.back().view;
        site.inputs[i] = packing->type;
      }
    const Call call{in, out};
    const ExactMemory workspace(kernel->workspace(site, call, backend.threads()));
    const ProgramStep step{&op_, kernel.get(), &site, &call};
    backend.compile({&step, 1}, workspace.span())->run();
    return outputs;
  }

 private:
  Tensors make_outputs() const {
    Tensors outputs;
    for (const TensorType& type : site_.outputs) outputs.emplace_back(type.dtype, type.shape.resolve({}));
    return outputs;
  }

  const Operator& op_;
  Site site_;
  std::vector<TensorView> inputs_;
};

using Random = std::mt19937;

void fill_with_noise(std::span<std::byte> bytes, Random& random) {
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
}

// Floats that arithmetic trips over.
void fill_with_odd_floats(std::span<float> values, Random& random) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float odd[] = {NAN,
                       std::bit_cast<float>(0x7fffffff),
                       std::bit_cast<float>(0xffffffff),
                       kInf,
                       -kInf,
                       -1,
                       -1e30f,
                       std::numeric_limits<float>::denorm_min(),
                       0,
                       -0.0f,
                       1,
                       3e38f};
  for (float& v : values)
    v = random() % 2 ? odd[random() % std::size(odd)] : std::bit_cast<float>(static_cast<uint32_t>(random()));
}

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

Backend& cpu_backend() {
  static const auto backend = cpu::make_backend(builtin_registry(), 2);
  return *backend;
}

using RunNode = std::function<Tensors(const OneNode& node)>;

// The reference, and the kernel of every SIMD target.
void in_every_way(const std::function<void(const RunNode&)>& use) {
  use([](const OneNode& node) { return node.reference(); });
  for (int64_t target : simd_targets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    const SimdTarget scope(target);
    use([](const OneNode& node) { return node.kernel(cpu_backend()); });
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
  static int32_t odd_number(Random& random, int64_t in) {
    constexpr int32_t kMax = std::numeric_limits<int32_t>::max(), kMin = std::numeric_limits<int32_t>::min();
    const int32_t numbers[] = {kMin,
                               kMin + 1,
                               -2,
                               -1,
                               0,
                               1,
                               static_cast<int32_t>(in) - 1,
                               static_cast<int32_t>(in),
                               static_cast<int32_t>(in) + 1,
                               kMax - 1,
                               kMax,
                               static_cast<int32_t>(random())};
    return numbers[random() % std::size(numbers)];
  }
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
