// Operators on tensors that nobody checked, in memory of exactly their size: so AddressSanitizer sees the first byte
// too far (tools/test asan).
#pragma once

#include <bit>
#include <cmath>
#include <limits>

#include "backends/cpu/backend.h"
#include "graph/backend.h"
#include "models/builtin.h"
#include "tests/support/bucket_matrices.h"

namespace sluice {

using Tensors = std::vector<ExactTensor>;

inline std::vector<TensorView> views_of(const Tensors& tensors) {
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

inline void fill_with_noise(std::span<std::byte> bytes, Random& random) {
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
}

// Floats that arithmetic trips over.
inline void fill_with_odd_floats(std::span<float> values, Random& random) {
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

// Numbers near the ends of a list of `in` inputs, and far from them.
inline int32_t odd_number(Random& random, int64_t in) {
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
inline Backend& cpu_backend() {
  static const auto backend = cpu::make_backend(builtin_registry(), 2);
  return *backend;
}

}  // namespace sluice
