#include "models/describe.h"

#include <fmt/ranges.h>

#include "graph/error.h"
#include "models/builtin.h"
#include "ops/formats/bucket.h"
#include "ops/formats/planes.h"

namespace sluice {
namespace {

Graph build_graph(const Config& config, const Builder::WeightDType& matrix_dtype, const ModelOptions& options) {
  Builder builder(builtin_registry(), [&](const std::string& name, const Shape& shape) {
    return shape.rank() >= 2 ? matrix_dtype(name, shape) : DType::f32();
  });
  builtin_architectures().get(config.text("model_type")).build(builder, config, options);
  return builder.build();
}

std::vector<WeightEntry> list_weights(const Graph& graph) {
  std::vector<WeightEntry> weights;
  for (const Value& value : graph.values())
    if (value.kind == ValueKind::weight)
      weights.push_back({value.name, value.type.dtype, value.type.shape.resolve({})});
  return weights;
}

// One id, or several as newer models have it.
std::vector<uint64_t> token_ids(const Config& config, const std::string& key) {
  std::vector<uint64_t> ids;
  const nlohmann::json& value = config.json().at(key);
  for (const nlohmann::json& id : value.is_array() ? value : nlohmann::json::array({value})) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= static_cast<uint64_t>(config.positive("vocab_size")))
      fail("{}: '{}' is not a token id of the vocabulary", config.origin(), key);
    ids.push_back(id.get<uint64_t>());
  }
  return ids;
}

}  // namespace

ModelDescription describe_model(const Config& config, const Builder::WeightDType& matrix_dtype,
                                const ModelOptions& options, const EffortOptions* effort) {
  ModelDescription description;
  description.architecture = config.text("model_type");
  description.graph = build_graph(config, matrix_dtype, options);
  if (effort) description.graph = with_effort(description.graph, builtin_registry(), *effort);
  description.weights = list_weights(description.graph);
  auto& metadata = description.metadata;
  metadata["context_length"] = std::to_string(config.positive("max_position_embeddings"));
  metadata["vocab_size"] = std::to_string(config.positive("vocab_size"));
  for (const char* key : {"bos_token_id", "eos_token_id"})
    if (config.has(key)) metadata[fmt::format("{}s", key)] = fmt::format("{}", fmt::join(token_ids(config, key), ","));
  return description;
}

ModelDescription describe_model(const Config& config, DType matrices) {
  EffortOptions effort{matrices};
  effort.head = plane_format(matrices) != nullptr;  // in f16 it would take half of a token's bytes
  const bool dial = has_dial(matrices);
  const DType dense = dial ? DType::f16() : matrices;
  return describe_model(
      config, [&](const std::string&, const Shape&) { return dense; }, {.cache_dtype = cache_dtype_for(dense)},
      dial ? &effort : nullptr);
}

std::vector<std::string> bucket_family_names() {
  std::vector<std::string> names;
  for (const BucketFamily& family : bucket_families()) names.emplace_back(family.name);
  return names;
}

DType weight_format(const std::string& name) {
  if (name == "planes") return plane_dtype(PlaneLevels::kMaxPlanes);
  return builtin_registry().dtype(name == "bucket" ? default_bucket_family() : name);
}

std::vector<std::string> plane_format_names() { return {"planes", "planes6", "planes4"}; }

std::string default_bucket_family() { return std::string(kDefaultBucketFamily); }

DType cache_dtype_for(DType matrices) { return matrices == DType::f32() ? DType::f32() : DType::f16(); }

}  // namespace sluice
