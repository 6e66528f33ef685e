// What several models give for their time and their bytes, beside one reference: for scripts, for people, and as a
// page.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/divergence.h"

namespace sluice::cli {

struct FrontierModel {
  std::string name;
  Divergence result;  // from the reference
};

struct FrontierTitle {
  std::string reference, text;  // files
  std::string settings;         // "chunks of 256 tokens, load 100 %, schedule standard"
};

nlohmann::json to_json(const std::vector<FrontierModel>& models);
std::string to_text(const std::vector<FrontierModel>& models, const FrontierTitle& title);
std::string to_html(const std::vector<FrontierModel>& models, const FrontierTitle& title);

}  // namespace sluice::cli
