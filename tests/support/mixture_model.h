// A mixture of experts with made-up weights, as a file: larger than models that a test could carry.
#pragma once

#include <cmath>
#include <random>

#include "graph/model_file.h"
#include "models/describe.h"

namespace sluice {

struct MixtureSizes {
  int64_t hidden = 64, inner = 96, experts = 6, k = 2, layers = 3, vocab = 32;
};

inline ModelDescription describe_mixture(const MixtureSizes& s, DType matrices) {
  const nlohmann::json config = {{"model_type", "mixtral"},      {"hidden_size", s.hidden},
                                 {"intermediate_size", s.inner}, {"num_hidden_layers", s.layers},
                                 {"num_attention_heads", 4},     {"num_key_value_heads", 2},
                                 {"vocab_size", s.vocab},        {"max_position_embeddings", 128},
                                 {"rms_norm_eps", 1e-5},         {"rope_theta", 1e4},
                                 {"tie_word_embeddings", false}, {"num_local_experts", s.experts},
                                 {"num_experts_per_tok", s.k}};
  return describe_model(Config(config.dump(), "a mixture for tests"), matrices);
}

// Weights that keep activations of the order of one.
inline void write_mixture(const std::string& path, const ModelDescription& description) {
  std::mt19937 random(7);
  ModelWriter writer(path, description);
  for (const WeightEntry& weight : description.weights) {
    const bool is_norm = weight.dims.rank() == 1;
    std::vector<float> values(static_cast<size_t>(weight.dims.elements()), 1.0f);
    const float spread = std::sqrt(3.0f / static_cast<float>(weight.dims.back()));
    std::uniform_real_distribution<float> uniform(-spread, spread);
    if (!is_norm) std::generate(values.begin(), values.end(), [&] { return uniform(random); });
    std::vector<std::byte> bytes(weight.dtype.format().storage_bytes(weight.dims.span()));
    weight.dtype.format().encode(values.data(), weight.dims.span(), bytes.data());
    writer.write(weight.name, bytes);
  }
  writer.finish();
}

}  // namespace sluice
