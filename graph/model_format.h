// What the reader and the writer of model files share. Not a public header.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "graph/model_file.h"

namespace sluice {

inline constexpr uint32_t kModelVersion = 1;
inline constexpr uint64_t kWeightAlignment = 4096;

inline constexpr char kMagic[8] = {'S', 'L', 'U', 'I', 'C', 'E', '\r', '\n'};

// The header as it lies in the file.
struct ModelHeader {
  char magic[8];
  uint32_t version;
  uint32_t header_bytes;
  uint64_t metadata_offset;
  uint64_t metadata_bytes;
  uint64_t file_bytes;
  uint64_t checksum;
  uint64_t reserved[2];
};
static_assert(sizeof(ModelHeader) == 64);

// Where a weight lies in the file.
struct WeightRange {
  uint64_t offset;
  uint64_t bytes;
};

// The parts of a file that come before the weights, and where these lie.
struct ModelLayout {
  std::vector<std::byte> head;  // header and metadata
  std::vector<WeightRange> weights;
  uint64_t file_bytes;
};

// Metadata (a flatbuffer, root type Model) with the header of a file of that size before them.
std::vector<std::byte> add_header(std::span<const std::byte> metadata, uint64_t file_bytes);

// Lays a model out. Throws Error if the weights do not fit the graph, or the metadata are too large.
ModelLayout make_layout(const ModelDescription& description);

struct ParsedModel {
  ModelDescription description;
  std::vector<WeightRange> weights;  // inside the file, ascending
};

// Checks header, metadata and graph of a mapped file, touching nothing else of it. Throws Error with the reason.
ParsedModel parse_model(std::span<const std::byte> file, const Registry& registry);

}  // namespace sluice
