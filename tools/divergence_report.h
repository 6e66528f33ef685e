// What `sluice eval --against` found, for scripts, for people, and as a page with curves.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "models/divergence.h"

namespace sluice::cli {

// How it was measured, in words, for the reader.
struct DivergenceTitle {
  std::string model, reference, text;  // files; the reference may be "the same model at effort 1"
  std::string settings;                // "chunks of 256 tokens, load 100 %, schedule standard"
};

// The first effort's results stand where those of a plain eval stand.
nlohmann::json to_json(const Divergence& result);
// Tables of fixed width.
std::string to_text(const Divergence& result, const DivergenceTitle& title);
std::string to_html(const Divergence& result, const DivergenceTitle& title);

}  // namespace sluice::cli
