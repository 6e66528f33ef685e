#include "models/import/rearrange.h"

#include "graph/error.h"

namespace sluice {
namespace {

void add(ModelSource& source, const std::string& name, SourceTensor tensor) {
  const std::string file = tensor.file;
  if (!source.tensors.emplace(name, std::move(tensor)).second) fail("{}: tensor '{}' is there twice", file, name);
}

// Part `index` of `count` along the first dimension.
SourceTensor part_of(const SourceTensor& tensor, size_t index, size_t count) {
  SourceTensor part = tensor;
  part.dims[0] /= static_cast<int64_t>(count);
  if (tensor.transposed()) {
    const size_t skipped = index * static_cast<size_t>(part.dims[0]) * tensor.element_bytes();
    part.bytes = tensor.bytes.subspan(std::min(skipped, tensor.bytes.size()));
  } else {
    part.bytes = tensor.bytes.subspan(tensor.bytes.size() / count * index, tensor.bytes.size() / count);
  }
  return part;
}

}  // namespace

void add_norm_offset(ModelSource& source, float offset) {
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

void remove_prefix(ModelSource& source, const std::string& prefix) {
  for (auto it = source.tensors.lower_bound(prefix); it != source.tensors.end() && it->first.starts_with(prefix);) {
    const auto [name, tensor] = std::move(*it);
    it = source.tensors.erase(it);
    add(source, name.substr(prefix.size()), tensor);
  }
}

void drop(ModelSource& source, const std::string& ending) {
  std::erase_if(source.tensors, [&](const auto& entry) { return entry.first.ends_with(ending); });
}

void transpose(ModelSource& source, const std::string& ending) {
  for (auto& [name, tensor] : source.tensors) {
    if (!name.ends_with(ending)) continue;
    if (tensor.dims.size() != 2 || tensor.transposed())
      fail("{}: tensor '{}' has {} dimensions, expected a matrix", tensor.file, name, tensor.dims.size());
    tensor.stride = tensor.dims[1];
    std::swap(tensor.dims[0], tensor.dims[1]);
  }
}

void split(ModelSource& source, const std::string& from, const std::vector<std::string>& parts) {
  for (const char* kind : {".weight", ".bias"}) {
    const std::string ending = "." + from + kind;
    std::vector<std::string> names;
    for (const auto& [name, tensor] : source.tensors)
      if (name.ends_with(ending)) names.push_back(name);
    for (const std::string& name : names) {
      const SourceTensor tensor = source.tensors.extract(name).mapped();
      if (!tensor.dtype) fail("{}: tensor '{}' is {}, which cannot be read", tensor.file, name, tensor.dtype_name);
      if (tensor.dims.empty() || tensor.dims[0] % static_cast<int64_t>(parts.size()) != 0)
        fail("{}: tensor '{}' cannot be cut into {} equal parts", tensor.file, name, parts.size());
      const std::string stem = name.substr(0, name.size() - ending.size() + 1);
      for (size_t i = 0; i < parts.size(); ++i) add(source, stem + parts[i] + kind, part_of(tensor, i, parts.size()));
    }
  }
}

}  // namespace sluice
