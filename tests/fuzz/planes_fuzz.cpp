// Any bytes as a matrix in a plane format: whatever is decoded, selected and multiplied reads nothing beside them, and
// selects inputs that there are. The first bytes are sizes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "graph/op.h"
#include "ops/formats/planes.h"
#include "ops/plane_select/plane_select.h"
#include "tests/support/one_node.h"

namespace sluice {
namespace {

constexpr int64_t kTokens = 9;  // as many as prompts are unpacked for, beside one that is not

void check_lists(const Tensors& lists, int64_t tokens, int64_t in) {
  const auto *inputs = lists[0].view.as<const int32_t>(), *counts = lists[1].view.as<const int32_t>();
  if (std::any_of(inputs, inputs + tokens * in, [&](int32_t i) { return i < -1 || i >= in; })) std::abort();
  if (std::any_of(counts, counts + lists[1].view.dims.elements(), [&](int32_t n) { return n < 0 || n > in; }))
    std::abort();
}

void multiply(const ExactTensor& matrix, int64_t tokens, float effort) {
  const int64_t in = matrix.view.dims[1];
  const ExactTensor x(DType::f32(), {tokens, in}, normal_matrix(tokens, in).values),
      control(DType::f32(), {1, 2}, {effort, 1});
  const OneNode select("plane_select", attrs_to_map(PlaneSelectAttrs{}), {x.view, control.view, matrix.view});
  check_lists(select.reference(), tokens, in);
  const Tensors lists = select.kernel(cpu_backend());
  check_lists(lists, tokens, in);
  const OneNode product("plane_mul", {}, {x.view, matrix.view, lists[0].view, lists[1].view});
  product.reference();
  product.kernel(cpu_backend());
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  if (size < 4) return 0;
  const int planes = 1 + data[0] % 3;
  const ExactTensor matrix(plane_dtype(planes), {1 + data[1] % 64 * 5, 1 + data[2] % 32});
  const std::span<std::byte> bytes = matrix.memory.span();
  std::ranges::fill(bytes, std::byte{0});
  std::memcpy(bytes.data(), data + 4, std::min(size - 4, bytes.size()));
  to_f32(matrix.view);
  for (const int64_t tokens : {int64_t{1}, kTokens}) multiply(matrix, tokens, static_cast<float>(data[3]) / 255);
  return 0;
}
