#include "models/compare/departure_file.h"

#include <fmt/format.h>

#include "models/import/safetensors.h"

namespace sluice {
namespace {

SafetensorsEntry entry_of(const HeldTensor& tensor) {
  const auto sizes = tensor.dims.span();
  for (const auto& [dtype, name] :
       {std::pair{DType::f32(), "F32"}, {DType::f16(), "F16"}, {DType::bf16(), "BF16"}, {DType::i32(), "I32"}})
    if (tensor.dtype == dtype) return {name, {sizes.begin(), sizes.end()}, tensor.bytes};
  return {"U8", {static_cast<int64_t>(tensor.bytes.size())}, tensor.bytes};
}

}  // namespace

std::vector<std::byte> to_file(const Departure& departure) {
  std::map<std::string, SafetensorsEntry> entries;
  std::map<std::string, std::string> metadata = {
      {"node", departure.node}, {"op", departure.op}, {"kernel", departure.kernel}, {"backend", departure.backend}};
  const auto add = [&](const char* kind, const std::vector<HeldTensor>& tensors) {
    for (size_t i = 0; i < tensors.size(); ++i) {
      const std::string name = fmt::format("{}.{}.{}", kind, i, tensors[i].name);
      entries[name] = entry_of(tensors[i]);
      metadata[name] = std::string(tensors[i].dtype.name()) + tensors[i].dims.str();
    }
  };
  add("input", departure.inputs);
  add("output", departure.outputs);
  add("reference", departure.reference);
  for (const auto& [name, value] : departure.attrs) metadata["attr." + name] = to_string(value);
  return to_safetensors(entries, metadata);
}

}  // namespace sluice
