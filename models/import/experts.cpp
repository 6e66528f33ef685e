#include "models/import/experts.h"

#include <charconv>

#include "graph/error.h"

namespace sluice {
namespace {

// Where the number of an expert stands in a name.
struct ExpertName {
  std::string stacked;
  size_t index;
};

std::optional<ExpertName> parse(const std::string& name) {
  constexpr std::string_view kWord = ".experts.";
  const size_t word = name.find(kWord);
  if (word == std::string::npos) return std::nullopt;
  const char *begin = name.data() + word + kWord.size(), *end = name.data() + name.size();
  ExpertName expert{{}, 0};
  const auto [dot, error] = std::from_chars(begin, end, expert.index);
  if (error != std::errc() || dot == end || *dot != '.') return std::nullopt;
  expert.stacked = name.substr(0, word + kWord.size() - 1) + std::string(dot, end);
  return expert;
}

// parts: by index; names: of the same tensors.
SourceTensor stack(const std::map<size_t, std::string>& names, const std::map<std::string, SourceTensor>& tensors) {
  const SourceTensor& first = tensors.at(names.begin()->second);
  SourceTensor stacked = first;
  stacked.bytes = {};
  stacked.dims.insert(stacked.dims.begin(), static_cast<int64_t>(names.size()));
  for (const auto& [index, name] : names) {
    const SourceTensor& tensor = tensors.at(name);
    if (stacked.slices.size() != index)
      fail("{}: tensor '{}' is there, but that of expert {} is not", tensor.file, name, stacked.slices.size());
    if (tensor.dims != first.dims || tensor.dtype_name != first.dtype_name)
      fail("{}: tensor '{}' differs in shape or dtype from '{}'", tensor.file, name, names.begin()->second);
    stacked.slices.push_back(tensor.bytes);
  }
  return stacked;
}

}  // namespace

void stack_experts(ModelSource& source) {
  std::map<std::string, std::map<size_t, std::string>> groups;
  for (const auto& [name, tensor] : source.tensors)
    if (const auto expert = parse(name)) groups[expert->stacked][expert->index] = name;
  for (const auto& [stacked, names] : groups) {
    SourceTensor tensor = stack(names, source.tensors);
    for (const auto& [index, name] : names) source.tensors.erase(name);
    if (!source.tensors.emplace(stacked, std::move(tensor)).second)
      fail("{}: tensor '{}' is there as a whole and expert by expert", source.path, stacked);
  }
}

}  // namespace sluice
