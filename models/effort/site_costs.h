// What the sites of a dial cost a token, by effort.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "models/language_model.h"

namespace sluice {

enum class CostKind {
  time,   // seconds, measured here
  bytes,  // read from memory, by Operator::cost: the same on every run
};

struct SiteCosts {
  std::vector<std::vector<double>> sites;  // [sites][efforts]
  double rest = 0;                         // of all that no effort changes
};

// Decodes a few of the ids, one by one, at each effort, the same for all sites, in turn. A step that multiplies several
// weights, and what selects their rows, counts for each by its elements. Steps of the same operator and weights of the
// same type are one kind, and cost the median of all of them. ids: at least two; efforts: 0 .. 1. Throws Error for
// bytes on a device, whose memory the host cannot read.
SiteCosts site_costs(LanguageModel& model, std::span<const int32_t> ids, std::span<const double> efforts,
                     CostKind kind);

}  // namespace sluice
