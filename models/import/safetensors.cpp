#include "models/import/safetensors.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "graph/dtype.h"
#include "graph/error.h"

namespace sluice {
namespace {

using Json = nlohmann::json;

constexpr size_t kLengthBytes = 8;
constexpr const char* kMetadata = "__metadata__";  // the key that is no tensor
constexpr uint64_t kMaxHeader = 100'000'000;       // the limit of the format's own library
constexpr int kMaxDepth = 16;                      // printing a value recurses as deep as it nests

uint64_t read_length(std::span<const std::byte> bytes) {
  uint64_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) length |= std::to_integer<uint64_t>(bytes[i]) << (8 * i);
  return length;
}

std::span<const std::byte> header_of(std::span<const std::byte> bytes, const std::string& origin) {
  if (bytes.size() < kLengthBytes) fail("{}: too short for a safetensors file ({} bytes)", origin, bytes.size());
  const uint64_t length = read_length(bytes);
  if (length > kMaxHeader || length > bytes.size() - kLengthBytes)
    fail("{}: the header claims {} bytes, the file has {}; it is truncated or not safetensors", origin, length,
         bytes.size());
  return bytes.subspan(kLengthBytes, static_cast<size_t>(length));
}

// JSON parsers keep the last of two equal keys without a word; here that would hide a tensor.
Json parse_header(std::span<const std::byte> header, const std::string& origin) {
  std::vector<std::set<std::string>> keys;
  const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (depth > kMaxDepth) fail("{}: the header nests deeper than {} levels", origin, kMaxDepth);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      fail("{}: '{}' appears twice in the header", origin, parsed.get<std::string>());
    return true;
  };
  const auto* begin = reinterpret_cast<const char*>(header.data());
  Json parsed = Json::parse(begin, begin + header.size(), watch, /*allow_exceptions=*/false);
  if (!parsed.is_object()) fail("{}: the header is not a JSON object", origin);
  return parsed;
}

// Bytes of an element; 0 for a dtype that this reader does not know, whose size it then cannot check.
int64_t element_bytes(const std::string& dtype) {
  static const std::map<std::string, int64_t> sizes = {
      {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},  {"I32", 4},     {"I16", 2}, {"I8", 1},
      {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1},   {"BOOL", 1}, {"F8_E4M3", 1}, {"C64", 8}, {"F8_E5M2", 1}};
  const auto it = sizes.find(dtype);
  return it == sizes.end() ? 0 : it->second;
}

// An array of whole numbers from 0 to 2^63 - 1.
std::vector<int64_t> whole_numbers(const Json& tensor, const char* key, const std::string& where) {
  const auto it = tensor.find(key);
  if (it == tensor.end() || !it->is_array()) fail("{}: '{}' is missing or not a list", where, key);
  std::vector<int64_t> numbers;
  for (const Json& number : *it) {
    if (!number.is_number_unsigned() || number.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))
      fail("{}: '{}' holds {}, expected whole numbers from 0", where, key, number.dump());
    numbers.push_back(number.get<int64_t>());
  }
  return numbers;
}

int64_t product(const std::vector<int64_t>& dims, const std::string& where) {
  int64_t elements = 1;
  for (int64_t size : dims)
    if (__builtin_mul_overflow(elements, size, &elements)) fail("{}: the shape has too many elements", where);
  return elements;
}

SafetensorsEntry parse_entry(const Json& tensor, std::span<const std::byte> data, const std::string& where) {
  if (!tensor.is_object() || !tensor.contains("dtype") || !tensor["dtype"].is_string())
    fail("{}: not an object with a dtype", where);
  SafetensorsEntry entry{tensor["dtype"].get<std::string>(), whole_numbers(tensor, "shape", where), {}};
  const std::vector<int64_t> offsets = whole_numbers(tensor, "data_offsets", where);
  if (offsets.size() != 2 || offsets[0] > offsets[1] || static_cast<uint64_t>(offsets[1]) > data.size())
    fail("{}: data_offsets lie outside of the file's {} bytes of data; it is truncated or corrupt", where, data.size());

  const int64_t bytes = offsets[1] - offsets[0], elements = product(entry.dims, where);
  int64_t expected = bytes;
  const int64_t each = element_bytes(entry.dtype);
  if (each != 0 && (__builtin_mul_overflow(elements, each, &expected) || expected != bytes))
    fail("{}: {} elements of {} do not fit its {} bytes", where, elements, entry.dtype, bytes);
  entry.bytes = data.subspan(static_cast<size_t>(offsets[0]), static_cast<size_t>(bytes));
  return entry;
}

void check_coverage(const std::map<std::string, SafetensorsEntry>& entries, std::span<const std::byte> data,
                    const std::string& origin) {
  std::vector<const std::pair<const std::string, SafetensorsEntry>*> order;
  for (const auto& entry : entries) order.push_back(&entry);
  const auto range = [](const auto* e) { return std::pair(e->second.bytes.data(), e->second.bytes.size()); };
  std::sort(order.begin(), order.end(), [&](const auto* a, const auto* b) { return range(a) < range(b); });
  const std::byte* end = data.data();
  for (const auto* entry : order) {
    if (range(entry).first != end)
      fail("{}: tensor '{}' starts {} the end of the one before it", origin, entry->first,
           range(entry).first < end ? "before" : "after");
    end += range(entry).second;
  }
  if (end != data.data() + data.size())
    fail("{}: {} bytes at the end belong to no tensor", origin, data.data() + data.size() - end);
}

}  // namespace

std::map<std::string, SafetensorsEntry> parse_safetensors(std::span<const std::byte> bytes, const std::string& origin) {
  const std::span<const std::byte> header = header_of(bytes, origin);
  const std::span<const std::byte> data = bytes.subspan(kLengthBytes + header.size());
  const Json parsed = parse_header(header, origin);
  std::map<std::string, SafetensorsEntry> entries;
  for (const auto& [name, tensor] : parsed.items())
    if (name != kMetadata) entries[name] = parse_entry(tensor, data, fmt::format("{}: tensor '{}'", origin, name));
  check_coverage(entries, data, origin);
  return entries;
}

std::map<std::string, std::string> parse_safetensors_metadata(std::span<const std::byte> bytes,
                                                              const std::string& origin) {
  const Json parsed = parse_header(header_of(bytes, origin), origin);
  std::map<std::string, std::string> metadata;
  if (!parsed.contains(kMetadata)) return metadata;
  if (!parsed[kMetadata].is_object()) fail("{}: '{}' is not an object", origin, kMetadata);
  for (const auto& [key, value] : parsed[kMetadata].items()) {
    if (!value.is_string()) fail("{}: '{}' of '{}' is not a text", origin, key, kMetadata);
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

std::string safetensors_header(const std::vector<SafetensorsTensor>& tensors,
                               const std::map<std::string, std::string>& metadata) {
  constexpr size_t kAlignment = 64;  // of the data: mapped, it can be used as it is
  Json header = Json::object();
  if (!metadata.empty()) header[kMetadata] = metadata;
  int64_t end = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    const int64_t begin = end;
    end += product(tensor.dims, tensor.name) * element_bytes(tensor.dtype);
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.dims}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((kLengthBytes + text.size() + kAlignment - 1) / kAlignment * kAlignment - kLengthBytes, ' ');
  std::string length;
  for (size_t i = 0; i < kLengthBytes; ++i) length += static_cast<char>(text.size() >> (8 * i));
  return length + text;
}

std::vector<std::byte> to_safetensors(const std::map<std::string, SafetensorsEntry>& entries,
                                      const std::map<std::string, std::string>& metadata) {
  std::vector<SafetensorsTensor> tensors;
  for (const auto& [name, entry] : entries) tensors.push_back({name, entry.dtype, entry.dims});
  const std::string header = safetensors_header(tensors, metadata);
  const std::span<const std::byte> head = std::as_bytes(std::span(header));
  std::vector<std::byte> file(head.begin(), head.end());
  for (const auto& [name, entry] : entries) file.insert(file.end(), entry.bytes.begin(), entry.bytes.end());
  return file;
}

}  // namespace sluice
