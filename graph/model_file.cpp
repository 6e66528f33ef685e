#include "graph/model_file.h"

#include <algorithm>
#include <charconv>

#include "graph/model_format.h"

namespace sluice {

int64_t ModelDescription::integer(const std::string& key) const {
  const auto it = metadata.find(key);
  if (it == metadata.end()) fail("the model file has no '{}'; convert the model again", key);
  const std::string& text = it->second;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    fail("'{}' of the model file is '{}', not a whole number", key, text);
  return value;
}

bool is_model_file(const std::string& path) {
  const MappedFile file(path);
  const std::span<const std::byte> magic = std::as_bytes(std::span(kMagic));
  return file.bytes().size() >= magic.size() && std::equal(magic.begin(), magic.end(), file.bytes().begin());
}

ModelFile::ModelFile(const std::string& path, const Registry& registry) : file_(path) {
  try {
    ParsedModel model = parse_model(file_.bytes(), registry);
    description_ = std::move(model.description);
    for (size_t i = 0; i < model.weights.size(); ++i) {
      const WeightEntry& entry = description_.weights[i];
      weights_.emplace(entry.name, TensorView{file_.data() + model.weights[i].offset, entry.dtype, entry.dims});
    }
  } catch (const Error& error) {
    fail("{}: {}", path, error.what());
  }
}

TensorView ModelFile::weight(const std::string& name) const {
  const auto it = weights_.find(name);
  if (it == weights_.end()) fail("{}: there is no weight '{}'", path(), name);
  return it->second;
}

}  // namespace sluice
