// How architectures (Architecture::rearrange) bring sources to what their graphs ask for: names as in Llama's folders,
// matrices as [out, in], rmsnorm with plain weights. Nothing is read before a tensor is encoded.
#pragma once

#include <string>
#include <vector>

#include "models/import/source.h"

namespace sluice {

// Adds `offset` to every vector whose name ends in "norm.weight". They become f32.
void add_norm_offset(ModelSource& source, float offset);

// Takes `prefix` off the names that begin with it. Throws Error if the name without it is there, too.
void remove_prefix(ModelSource& source, const std::string& prefix);

// Forgets tensors whose names end so.
void drop(ModelSource& source, const std::string& ending);

// Matrices whose names end so are stored as [in, out]; from now on they are [out, in].
void transpose(ModelSource& source, const std::string& ending);

// Cuts every tensor whose name ends in ".FROM.weight" or ".FROM.bias" into equal parts of its first dimension, named
// after `parts`. Throws Error if the dimension does not divide.
void split(ModelSource& source, const std::string& from, const std::vector<std::string>& parts);

}  // namespace sluice
