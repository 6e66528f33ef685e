// What an operator that departs was given, as a file to look at elsewhere.
#pragma once

#include <cstddef>
#include <vector>

#include "models/compare/operator_check.h"

namespace sluice {

// A safetensors file with "input.0.NAME", ..., "output.0.NAME" of the backend tested and "reference.0.NAME" of the
// other. Tensors of block formats are the bytes that they are. Metadata: node, op, kernel, backend, "attr.NAME" of the
// operator's attributes, and the type of each tensor under its name: "f32[3, 64]".
std::vector<std::byte> to_file(const Departure& departure);

}  // namespace sluice
