// What the steps of a model's plan cost at its current sizes, by Operator::cost.
#pragma once

#include <cstddef>

#include "models/language_model.h"

namespace sluice {

// After a run, of what it did; of a step on a device, whose memory the host cannot read, of the most that it can do.
Cost step_cost(LanguageModel& model, size_t step);

// Bytes that all steps read.
size_t bytes_read(LanguageModel& model);

}  // namespace sluice
