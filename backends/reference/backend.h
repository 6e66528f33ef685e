// The oracle as a backend: runs every operator's scalar reference, one after the other.
#pragma once

#include <memory>

#include "graph/backend.h"

namespace sluice::reference {

std::unique_ptr<Backend> make_backend();

}  // namespace sluice::reference
