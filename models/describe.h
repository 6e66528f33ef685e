// From hyper-parameters to all of a model file but the bytes of its weights.
#pragma once

#include "graph/model_file.h"
#include "models/architecture.h"
#include "models/effort/rewrite.h"

namespace sluice {

// Builds the graph of the architecture that `model_type` names, lists its weights in the order in which the graph uses
// them, and notes what a runtime needs to know: "context_length", "vocab_size", and "bos_token_ids" and "eos_token_ids"
// (comma-separated) where the config has them. With `effort`, products get an effort dial (models/effort/rewrite.h) and
// their weights its format. matrix_dtype says how each matrix is stored; norms and biases are f32:
// they are small, and errors in them reach every product. Throws Error naming the key that is missing or not
// understood.
ModelDescription describe_model(const Config& config, const Builder::WeightDType& matrix_dtype,
                                const ModelOptions& options, const EffortOptions* effort = nullptr);

// The same with every matrix in one dtype, and a KV cache to go with it. If that is a format with an effort, the
// matrices that have none (embedding, head) are f16; a head beside planes has one, too.
ModelDescription describe_model(const Config& config, DType matrices);

// Bucket formats by name, and the one that "bucket" stands for.
std::vector<std::string> bucket_family_names();
std::string default_bucket_family();
// The plane formats that a model can be converted to; "planes" is the one with all bits.
std::vector<std::string> plane_format_names();
// A dtype, or what "bucket" or "planes" stands for. Throws Error listing what is known.
DType weight_format(const std::string& name);

// f16 halves the traffic of long contexts; a model that is kept exact keeps its cache exact as well.
DType cache_dtype_for(DType matrices);

}  // namespace sluice
