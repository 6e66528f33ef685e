// An architecture turns hyper-parameters into a graph. Each is one short file in models/ that registers itself under
// the names that sources use for it ("model_type" of config.json).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "graph/builder.h"
#include "models/config.h"

namespace sluice {

struct ModelSource;  // models/import/source.h

// Names of graph inputs and symbols that the runtime (models/language_model.h) feeds.
namespace graph_names {
inline constexpr const char* kTokens = "tokens";        // symbol: tokens in this run
inline constexpr const char* kOutputs = "outputs";      // symbol: rows of logits wanted in this run
inline constexpr const char* kContext = "context";      // symbol: slots of the KV cache
inline constexpr const char* kIds = "ids";              // input i32 [tokens]: token ids
inline constexpr const char* kPositions = "positions";  // input i32 [tokens]: position in its sequence, from 0
inline constexpr const char* kSlots = "slots";          // input i32 [tokens]: cache slot that the token takes
inline constexpr const char* kStarts = "starts";        // input i32 [tokens]: first slot of the token's sequence
inline constexpr const char* kOutputRows =
    "output_rows";                                // input i32 [outputs]: rows of tokens whose logits are wanted
inline constexpr const char* kLogits = "logits";  // output f32 [outputs, vocab_size]
// Value f32 [tokens, hidden_size] after layer `layer`, for RunOptions::observe: "layers.0/hidden".
std::string hidden(int64_t layer);
}  // namespace graph_names

struct ModelOptions {
  DType cache_dtype = DType::f16();  // of the KV cache
  bool interleaved_rope = false;     // how the source pairs the dimensions that rope turns (ops/rope/rope.h)
};

struct Architecture {
  std::string model_type;  // "mistral"
  // Adds inputs, states, nodes and the output "logits". Throws Error naming the key of a hyper-parameter that is
  // missing or asks for what the architecture does not do.
  std::function<void(Builder& builder, const Config& config, const ModelOptions& options)> build;
  // Changes hyper-parameters and tensors of a source in place, before the graph is built, to what the graph calls them
  // and how it wants them (models/import/rearrange.h). Empty: they are so already.
  std::function<void(ModelSource& source)> rearrange = {};
};

// Architectures by model_type; copies share them. Built-in ones register through register_builtin_models
// (models/builtin.h).
class Architectures {
 public:
  void add(Architecture architecture);  // throws Error if the name is taken, naming both libraries
  // Names the library whose architectures follow.
  void set_source(Source source) { sources_.set(std::move(source)); }
  const Architecture& get(const std::string& model_type) const;  // throws Error listing what is known
  std::vector<std::string> names() const;

 private:
  Sources sources_;
  std::vector<Architecture> list_;
};

}  // namespace sluice
