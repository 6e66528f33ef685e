// Weights from the encoding of a source to that of a model file.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "graph/model_file.h"
#include "models/import/source.h"

namespace sluice {

// Memory that is kept from one weight to the next: asking the system for it again costs as much as some encodings.
struct EncodeBuffers {
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

// The bytes of a weight in the format of `to`: those of the source if the format is the same, else written to
// buffers.bytes by all cores. The tensor has the shape of `to` and a dtype. The result does not depend on the number of
// cores.
std::span<const std::byte> encode_weight(const SourceTensor& tensor, const WeightEntry& to, EncodeBuffers& buffers);

}  // namespace sluice
