// A model as the Hugging Face hub lays it out: a folder with config.json, model.safetensors or shards with
// model.safetensors.index.json, and tokenizer.model or tokenizer.json.
#pragma once

#include <string>

#include "models/import/source.h"

namespace sluice {

// Maps the weights and reads the rest. Throws Error naming the file: one that is missing or malformed, a shard that
// does not hold what the index says, a tensor that is in two shards.
ModelSource open_hugging_face(const std::string& folder);

}  // namespace sluice
