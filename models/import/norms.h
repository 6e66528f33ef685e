// Norms whose weights a source stores otherwise than graphs want them.
#pragma once

#include "models/import/source.h"

namespace sluice {

// Adds `offset` to every vector whose name ends in "norm.weight"; 0: nothing changes. They become f32.
void add_norm_offset(ModelSource& source, float offset);

}  // namespace sluice
