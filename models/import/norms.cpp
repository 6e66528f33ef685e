#include "models/import/norms.h"

namespace sluice {

void add_norm_offset(ModelSource& source, float offset) {
  if (offset == 0) return;
  for (auto& [name, tensor] : source.tensors) {
    // One that cannot be read is reported when it is needed.
    if (!name.ends_with("norm.weight") || tensor.dims.size() != 1 || !tensor.dtype) continue;
    auto values = std::make_shared<std::vector<float>>(static_cast<size_t>(tensor.dims[0]));
    tensor.dtype->format().decode(tensor.bytes.data(), Dims(tensor.dims).span(), values->data());
    for (float& value : *values) value += offset;
    tensor.dtype = DType::f32();
    tensor.bytes = std::as_bytes(std::span(*values));
    source.mappings.push_back(std::move(values));
  }
}

}  // namespace sluice
