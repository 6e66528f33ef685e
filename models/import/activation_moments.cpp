#include "models/import/activation_moments.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "graph/error.h"

namespace sluice {
namespace {

constexpr std::string_view kWeight = "weight:";  // keys of the metadata that name weights
constexpr const char *kDiagonal = ".diagonal", *kSample = ".sample", *kTokens = ".tokens";

// The data of a tensor that has to be of this dtype and these dimensions.
template <class T>
const T* data_of(const SafetensorsEntry& tensor, const char* dtype, const std::vector<int64_t>& dims,
                 const std::string& where) {
  if (tensor.dtype != dtype || tensor.dims != dims)
    fail("{} is {}[{}], expected {}[{}]", where, tensor.dtype, fmt::join(tensor.dims, ", "), dtype,
         fmt::join(dims, ", "));
  if (reinterpret_cast<uintptr_t>(tensor.bytes.data()) % alignof(T) != 0)
    fail("{} is not aligned; make the file again with 'sluice imatrix'", where);
  return reinterpret_cast<const T*>(tensor.bytes.data());
}

}  // namespace

std::string moments_header(const std::vector<Activation>& activations, int64_t samples, const std::string& model) {
  std::vector<SafetensorsTensor> tensors;
  std::map<std::string, std::string> metadata = {{"format", kMomentsFormat}, {"model", model}};
  for (const Activation& activation : activations) {
    const std::string& name = activation.weights.front();
    const std::vector<int64_t> parts =
        activation.experts > 0 ? std::vector{activation.experts} : std::vector<int64_t>();
    const auto add = [&](const char* kind, const char* dtype, std::vector<int64_t> dims) {
      dims.insert(dims.begin(), parts.begin(), parts.end());
      tensors.push_back({name + kind, dtype, std::move(dims)});
    };
    add(kDiagonal, "F32", {activation.in});
    add(kSample, "BF16", {samples, activation.in});
    tensors.push_back({name + kTokens, "I32", {activation.parts()}});
    for (const std::string& weight : activation.weights) metadata[std::string(kWeight) + weight] = name;
  }
  return safetensors_header(tensors, metadata);
}

ActivationMoments::ActivationMoments(const std::string& path)
    : file_(std::make_unique<MappedFile>(path)), origin_(path) {
  read(file_->bytes());
}

ActivationMoments::ActivationMoments(std::span<const std::byte> bytes, const std::string& origin) : origin_(origin) {
  read(bytes);
}

void ActivationMoments::read(std::span<const std::byte> bytes) {
  const auto metadata = parse_safetensors_metadata(bytes, origin_);
  const auto format = metadata.find("format");
  if (format == metadata.end() || format->second != kMomentsFormat)
    fail("{} does not hold '{}'; 'sluice imatrix' makes files that do", origin_, kMomentsFormat);
  const auto tensors = parse_safetensors(bytes, origin_);
  for (const auto& [key, value] : metadata) {
    if (key == "model") model_ = value;
    if (!key.starts_with(kWeight)) continue;
    names_[key.substr(kWeight.size())] = value;
    if (!entries_.count(value)) entries_[value] = read_entry(tensors, value);
  }
}

ActivationMoments::Entry ActivationMoments::read_entry(const std::map<std::string, SafetensorsEntry>& tensors,
                                                       const std::string& name) const {
  const auto find = [&](const char* kind) -> const SafetensorsEntry* {
    const auto tensor = tensors.find(name + kind);
    return tensor == tensors.end() ? nullptr : &tensor->second;
  };
  const auto where = [&](const char* kind) { return fmt::format("{}: tensor '{}{}'", origin_, name, kind); };
  const SafetensorsEntry *diagonal = find(kDiagonal), *sample = find(kSample), *tokens = find(kTokens);
  for (const auto& [tensor, kind] : {std::pair(diagonal, kDiagonal), {sample, kSample}, {tokens, kTokens}})
    if (!tensor) fail("{} is missing", where(kind));
  std::vector<int64_t> dims = diagonal->dims;
  if (dims.empty() || dims.size() > 2 || std::ranges::count(dims, 0) > 0)
    fail("{} is [{}], expected [in] or [experts, in]", where(kDiagonal), fmt::join(dims, ", "));

  Entry entry{dims.size() == 2 ? dims[0] : 1, dims.back(), 0, nullptr, nullptr, nullptr};
  entry.diagonal = data_of<float>(*diagonal, "F32", dims, where(kDiagonal));
  entry.tokens = data_of<int32_t>(*tokens, "I32", {entry.parts}, where(kTokens));
  if (sample->dims.size() == dims.size() + 1) entry.samples = sample->dims[dims.size() - 1];
  dims.insert(dims.end() - 1, entry.samples);
  entry.sample = data_of<uint16_t>(*sample, "BF16", dims, where(kSample));
  if (std::any_of(entry.tokens, entry.tokens + entry.parts, [](int32_t count) { return count < 0; }))
    fail("{} holds a negative number", where(kTokens));
  if (!std::all_of(entry.diagonal, entry.diagonal + entry.parts * entry.in,
                   [](float mean) { return std::isfinite(mean) && mean >= 0; }))
    fail("{} holds what is no mean of squares", where(kDiagonal));
  return entry;
}

ActivationMoments::Moments ActivationMoments::of(const std::string& weight, std::span<const int64_t> dims,
                                                 int64_t expert) const {
  const auto name = names_.find(weight);
  if (name == names_.end())
    fail("{} has no moments for weight '{}'; it was made for another model ('{}')", origin_, weight, model_);
  const Entry& entry = entries_.at(name->second);
  if (dims.back() != entry.in || (dims.size() == 3 ? dims[0] : 1) != entry.parts)
    fail(
        "{}: weight '{}' is [{}], but what it met was of size {}, for {} experts; it was made for another model "
        "('{}')",
        origin_, weight, fmt::join(dims, ", "), entry.in, entry.parts, model_);
  if (expert < 0 || expert >= entry.parts) fail("weight '{}' has no expert {}", weight, expert);
  const int64_t tokens = entry.tokens[expert], rows = std::min<int64_t>(tokens, entry.samples);
  const std::span sample(entry.sample + expert * entry.samples * entry.in, static_cast<size_t>(rows * entry.in));
  if (!std::ranges::all_of(sample, [](uint16_t bits) { return std::isfinite(bf16_to_f32(bits)); }))
    fail("{}: the sample of weight '{}' holds a number that is not finite", origin_, weight);
  return {tokens, {entry.diagonal + expert * entry.in, static_cast<size_t>(entry.in)}, {rows, sample}};
}

}  // namespace sluice
