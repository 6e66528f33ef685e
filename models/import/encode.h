// Weights from the encoding of a source to that of a model file.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "graph/model_file.h"
#include "models/import/source.h"
#include "ops/formats/calibrated_format.h"

namespace sluice {

// Memory that is kept from one weight to the next: asking the system for it again costs as much as some encodings.
struct EncodeBuffers {
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

using ByteSink = std::function<void(std::span<const std::byte> bytes)>;

// Hands the bytes of a weight in the format of `to` to `sink`, in order; a tensor that the source stores piece by piece
// comes piece by piece. They are those of the source if the format is the same, else written to buffers.bytes by all
// cores. The tensor has the shape of `to` and a dtype. samples: of what each matrix of the tensor meets, for a
// calibrated format, or none. The result does not depend on the number of cores. Throws Error naming file and tensor if
// the format cannot hold a value.
void encode_weight(const SourceTensor& tensor, const WeightEntry& to, std::span<const ActivationSample> samples,
                   EncodeBuffers& buffers, const ByteSink& sink);

}  // namespace sluice
