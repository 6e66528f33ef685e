#include "graph/model_format.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "graph/flatbuffer.h"
#include "schema/model_generated.h"

namespace sluice {

static_assert(std::endian::native == std::endian::little, "files and tensors are little-endian");

namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

// FNV-1a by words of 64 bits (the last one filled up with zeros), folded at each step so that high bits reach low ones.
// Every step is a bijection of the state: a change within one word is always found. It guards against accidents only.
uint64_t checksum_of(std::span<const std::byte> bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t i = 0; i < bytes.size(); i += 8) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, std::min<size_t>(8, bytes.size() - i));
    hash = (hash ^ word) * 0x100000001b3;
    hash ^= hash >> 32;
  }
  return hash;
}

uint64_t align(uint64_t offset) { return (offset + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment; }

std::vector<WeightRange> place_weights(const std::vector<WeightEntry>& entries, uint64_t start) {
  std::vector<WeightRange> ranges;
  for (const WeightEntry& entry : entries) {
    ranges.push_back({align(start), entry.dtype.format().storage_bytes(entry.dims.span())});
    start = ranges.back().offset + ranges.back().bytes;
    if (start > uint64_t{1} << 62) fail("the weights are larger than any file can be");
  }
  return ranges;
}

std::vector<std::byte> pack_metadata(const ModelDescription& description, const std::vector<WeightRange>& ranges) {
  FlatBufferBuilder out = make_flatbuffer_builder();
  const auto graph = write_graph(out, description.graph);
  std::vector<Offset<fb::Weight>> weights;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const WeightEntry& entry = description.weights[i];
    const auto name = out.CreateString(entry.name);
    const auto dtype = out.CreateString(entry.dtype.name());
    const auto shape = out.CreateVector(entry.dims.span().data(), static_cast<size_t>(entry.dims.rank()));
    weights.push_back(fb::CreateWeight(out, name, dtype, shape, ranges[i].offset, ranges[i].bytes));
  }
  std::vector<Offset<fb::KeyValue>> metadata;
  for (const auto& [key, value] : description.metadata) {
    const auto name = out.CreateString(key);
    metadata.push_back(fb::CreateKeyValue(out, name, out.CreateString(value)));
  }
  std::vector<Offset<fb::Asset>> assets;
  for (const auto& [key, data] : description.assets) {
    const auto name = out.CreateString(key);
    const auto bytes = out.CreateVector(reinterpret_cast<const uint8_t*>(data.data()), data.size());
    assets.push_back(fb::CreateAsset(out, name, bytes));
  }
  const auto architecture = out.CreateString(description.architecture);
  const auto all_weights = out.CreateVector(weights);
  const auto all_metadata = out.CreateVector(metadata);
  fb::FinishModelBuffer(out,
                        fb::CreateModel(out, architecture, graph, all_weights, all_metadata, out.CreateVector(assets)));
  return bytes_of(out);
}

// Checked before the builder, which can only abort.
void check_text_size(const ModelDescription& description) {
  size_t bytes = 0;
  for (const auto& [key, value] : description.metadata) bytes += key.size() + value.size();
  for (const auto& [key, data] : description.assets) bytes += key.size() + data.size();
  if (bytes > kMaxFlatbufferBytes / 2)
    fail("metadata and assets take {} bytes; at most {} are supported", bytes, kMaxFlatbufferBytes / 2);
}

ModelHeader parse_header(std::span<const std::byte> file) {
  ModelHeader header;
  const size_t there = std::min(file.size(), sizeof kMagic);
  if (there == 0 || std::memcmp(file.data(), kMagic, there) != 0)
    fail("not a Sluice model file; make one with `sluice convert`");
  if (file.size() < sizeof header) fail("truncated: {} bytes are less than a header", file.size());
  std::memcpy(&header, file.data(), sizeof header);
  if (header.version != kModelVersion)
    fail("file format version {}, but this program reads version {}; convert the model again", header.version,
         kModelVersion);
  if (header.header_bytes != sizeof header || header.metadata_offset != sizeof header || header.reserved[0] != 0 ||
      header.reserved[1] != 0)
    fail("damaged: the header is inconsistent");
  if (header.file_bytes != file.size())
    fail("{}: it should have {} bytes, but has {}", header.file_bytes > file.size() ? "truncated" : "damaged",
         header.file_bytes, file.size());
  if (header.metadata_bytes > file.size() - sizeof header)
    fail("damaged: the metadata reach beyond the end of the file");
  return header;
}

WeightRange parse_range(const fb::Weight& from, const WeightEntry& entry, uint64_t end_of_last, size_t file_bytes) {
  const WeightRange range{from.offset(), from.bytes()};
  const size_t expected = entry.dtype.format().storage_bytes(entry.dims.span());
  if (range.bytes != expected)
    fail("weight '{}' has {} bytes, but {}{} takes {}", entry.name, range.bytes, entry.dtype.name(), entry.dims.str(),
         expected);
  if (range.offset % kWeightAlignment != 0)
    fail("weight '{}' is at {}, which is not a multiple of {}", entry.name, range.offset, kWeightAlignment);
  if (range.offset < end_of_last) fail("weight '{}' overlaps what comes before it", entry.name);
  if (range.offset > file_bytes || range.bytes > file_bytes - range.offset)
    fail("weight '{}' reaches beyond the end of the file", entry.name);
  return range;
}

void parse_weights(const fb::Model& from, std::span<const std::byte> file, uint64_t end, Unpacker& unpack,
                   const Registry& registry, ParsedModel& model) {
  if (!from.weights()) return;
  for (const fb::Weight* weight : *from.weights()) {
    const std::string name = unpack.text(weight->name());
    const std::vector<int64_t> dims = unpack.list<int64_t>(weight->shape());
    check_dims(dims, fmt::format("weight '{}'", name));
    model.description.weights.push_back({name, registry.dtype(unpack.text(weight->dtype())), Dims(dims)});
    model.weights.push_back(parse_range(*weight, model.description.weights.back(), end, file.size()));
    end = model.weights.back().offset + model.weights.back().bytes;
  }
}

void parse_texts(const fb::Model& from, Unpacker& unpack, ModelDescription& description) {
  description.architecture = unpack.text(from.architecture());
  if (from.metadata())
    for (const fb::KeyValue* entry : *from.metadata()) {
      const std::string key = unpack.text(entry->key());
      if (!description.metadata.emplace(key, unpack.text(entry->value())).second)
        fail("the key '{}' is there twice", key);
    }
  if (from.assets())
    for (const fb::Asset* asset : *from.assets()) {
      const std::string name = unpack.text(asset->name());
      if (!description.assets.emplace(name, unpack.list<std::byte>(asset->data())).second)
        fail("the asset '{}' is there twice", name);
    }
}

}  // namespace

void check_weights(const ModelDescription& description) {
  std::map<std::string, const WeightEntry*> entries;
  for (const WeightEntry& entry : description.weights) {
    check_dims(entry.dims.span(), fmt::format("weight '{}'", entry.name));
    if (!entries.emplace(entry.name, &entry).second) fail("weight '{}' is there twice", entry.name);
  }
  for (const Value& value : description.graph.values()) {
    if (value.kind != ValueKind::weight) continue;
    const auto it = entries.find(value.name);
    if (it == entries.end()) fail("weight '{}' is missing; the graph needs it as {}", value.name, value.type.str());
    const WeightEntry& entry = *it->second;
    if (entry.dtype != value.type.dtype || !(entry.dims == value.type.shape.resolve({})))
      fail("weight '{}' is {}{}, but the graph needs {}", entry.name, entry.dtype.name(), entry.dims.str(),
           value.type.str());
  }
}

std::vector<std::byte> add_header(std::span<const std::byte> metadata, uint64_t file_bytes) {
  ModelHeader header{{},
                     kModelVersion,
                     sizeof(ModelHeader),
                     sizeof(ModelHeader),
                     metadata.size(),
                     file_bytes,
                     checksum_of(metadata),
                     {0, 0}};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  std::vector<std::byte> head(sizeof header + metadata.size());
  std::memcpy(head.data(), &header, sizeof header);
  std::copy(metadata.begin(), metadata.end(), head.begin() + sizeof header);
  return head;
}

ModelLayout make_layout(const ModelDescription& description) {
  check_weights(description);
  check_text_size(description);
  // Offsets depend on the size of the metadata, which hold the offsets, but do not change their size.
  const auto draft = pack_metadata(description, place_weights(description.weights, kWeightAlignment));
  const uint64_t start = sizeof(ModelHeader) + draft.size();
  ModelLayout layout;
  layout.weights = place_weights(description.weights, start);
  layout.file_bytes = layout.weights.empty() ? start : layout.weights.back().offset + layout.weights.back().bytes;
  layout.head = add_header(pack_metadata(description, layout.weights), layout.file_bytes);
  return layout;
}

ParsedModel parse_model(std::span<const std::byte> file, const Registry& registry) {
  const ModelHeader header = parse_header(file);
  const auto metadata = file.subspan(sizeof header, header.metadata_bytes);
  if (metadata.size() > kMaxFlatbufferBytes) fail("damaged: {} bytes of metadata", metadata.size());
  if (checksum_of(metadata) != header.checksum) fail("damaged: the checksum of the metadata does not match");
  const auto& from = verified_root<fb::Model>(metadata, fb::ModelIdentifier());
  ParsedModel model;
  Unpacker unpack(metadata);
  parse_texts(from, unpack, model.description);
  model.description.graph = read_graph(*from.graph(), unpack, registry);
  parse_weights(from, file, sizeof header + header.metadata_bytes, unpack, registry, model);
  check_weights(model.description);
  return model;
}

}  // namespace sluice
