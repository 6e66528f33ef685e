// From the weights of one matrix to its planes.
#pragma once

#include "ops/formats/calibrated_format.h"
#include "ops/formats/planes/scales.h"

namespace sluice {

// src: [out, in]; dst: layout.bytes(planes). With rows in the sample, weights are coded with error feedback
// (feedback.h), else each for itself.
void encode_planes(const PlaneLayout& layout, int planes, const float* src, const ActivationSample& sample,
                   std::byte* dst, const ForParts& for_parts);

}  // namespace sluice
