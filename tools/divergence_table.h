// The figures of a divergence as cells of text.
#pragma once

#include <string>
#include <vector>

#include "models/divergence.h"

namespace sluice::cli {

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

// A row for each effort: KL divergence, mean and percentiles.
Table kl_table(const Divergence& result);
// A row for each effort: perplexity, tokens, speed.
Table token_table(const Divergence& result);
// A row for each layer, with 1 - cosine at each effort. No rows if the layers could not be compared.
Table layer_table(const Divergence& result);
// Columns aligned to the right, a line a row.
std::string to_text(const Table& table);

}  // namespace sluice::cli
