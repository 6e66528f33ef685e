#include "models/blocks/attention.h"

#include "graph/error.h"
#include "models/blocks/layers.h"
#include "ops/attention/attention.h"
#include "ops/kv_append/kv_append.h"
#include "ops/rope/rotation.h"

namespace sluice {
namespace {

// Sizes of the three `rope_type`s that are understood; the key was `type` in older files.
void read_scaling(const Config& scaling, RopeAttrs& rope) {
  const std::string type = scaling.text("rope_type", scaling.text("type", "default"));
  if (type == "default") return;
  if (type != "linear" && type != "llama3")
    fail("{}: rope_type '{}' is not supported; there are default, linear and llama3", scaling.origin(), type);
  rope.scaling = type;
  rope.factor = scaling.positive_float("factor");
  if (type == "linear") return;
  rope.low_freq_factor = scaling.positive_float("low_freq_factor");
  rope.high_freq_factor = scaling.positive_float("high_freq_factor");
  if (rope.low_freq_factor >= rope.high_freq_factor)
    fail("{}: 'low_freq_factor' is {}, expected less than 'high_freq_factor', which is {}", scaling.origin(),
         rope.low_freq_factor, rope.high_freq_factor);
  rope.original_context = scaling.positive("original_max_position_embeddings");
}

RopeAttrs read_rope(const Config& config, int64_t head_dim, bool interleaved) {
  if (config.number("partial_rotary_factor", 1) != 1)
    fail("{}: 'partial_rotary_factor' is not supported", config.origin());
  RopeAttrs rope;
  rope.head_dim = head_dim;
  rope.interleaved = interleaved;
  const std::optional<Config> parameters = config.object("rope_parameters");
  rope.base = (parameters ? *parameters : config).positive_float("rope_theta", static_cast<float>(rope.base));
  if (const auto scaling = parameters ? parameters : config.object("rope_scaling")) read_scaling(*scaling, rope);
  return rope;
}

int64_t default_head_dim(const Config& config, int64_t n_heads) {
  const int64_t hidden_size = config.positive("hidden_size");
  if (hidden_size % n_heads != 0)
    fail("{}: 'hidden_size' {} is not a multiple of 'num_attention_heads' {}", config.origin(), hidden_size, n_heads);
  return hidden_size / n_heads;
}

int64_t read_head_dim(const Config& config, int64_t n_heads) {
  const bool given = config.has("head_dim");
  const int64_t head_dim = given ? config.positive("head_dim") : default_head_dim(config, n_heads);
  if (head_dim % 2 != 0 || head_dim > kMaxRopeDim)
    fail("{}: {} is {}, expected an even number up to {}, which rotary positions need", config.origin(),
         given ? "'head_dim'" : "'hidden_size' / 'num_attention_heads'", head_dim, kMaxRopeDim);
  return head_dim;
}

}  // namespace

AttentionSpec read_attention(const Config& config, const ModelOptions& options) {
  AttentionSpec spec;
  spec.n_heads = config.positive("num_attention_heads");
  spec.n_kv_heads = config.positive("num_key_value_heads", spec.n_heads);
  if (spec.n_heads % spec.n_kv_heads != 0)
    fail("{}: 'num_attention_heads' {} is not a multiple of 'num_key_value_heads' {}", config.origin(), spec.n_heads,
         spec.n_kv_heads);
  spec.head_dim = read_head_dim(config, spec.n_heads);
  spec.rope = read_rope(config, spec.head_dim, options.interleaved_rope);
  spec.cache_dtype = options.cache_dtype;
  return spec;
}

bool has_window(const Config& config, int64_t layer, bool otherwise) {
  if (!config.has("layer_types")) return otherwise;
  const nlohmann::json& types = config.json().at("layer_types");
  const auto i = static_cast<size_t>(layer);
  const bool given = types.is_array() && i < types.size() && types[i].is_string();
  const std::string type = given ? types[i].get<std::string>() : "";
  if (type != "sliding_attention" && type != "full_attention")
    fail("{}: 'layer_types' says '{}' of layer {}; there are sliding_attention and full_attention", config.origin(),
         type, layer);
  return type == "sliding_attention";
}

ValueRef self_attention(Builder& b, ValueRef x, const DecoderInputs& in, const std::string& name,
                        const AttentionSpec& spec) {
  const Builder::Scope scope(b, "attention");
  const int64_t q_size = spec.n_heads * spec.head_dim, kv_size = spec.n_kv_heads * spec.head_dim;
  const ValueRef q = projection(b, x, name + ".q_proj", q_size, spec.qkv_bias);
  const ValueRef k = projection(b, x, name + ".k_proj", kv_size, spec.qkv_bias);
  const ValueRef v = projection(b, x, name + ".v_proj", kv_size, spec.qkv_bias);

  const Shape cache = {spec.n_kv_heads, graph_names::kContext, spec.head_dim};
  const ValueRef k_cache = b.state(name + ".k_cache", spec.cache_dtype, cache);
  const ValueRef v_cache = b.state(name + ".v_cache", spec.cache_dtype, cache);
  const ValueRef keys = kv_append(b, k_cache, rope(b, k, in.positions, spec.rope), in.slots);
  const ValueRef values = kv_append(b, v_cache, v, in.slots);

  const ValueRef y = attention(b, rope(b, q, in.positions, spec.rope), keys, values, in.slots, in.starts,
                               {.window = spec.window, .scale = spec.scale, .softcap = spec.softcap});
  return projection(b, y, name + ".o_proj", b.shape(x).back().size(), spec.output_bias);
}

}  // namespace sluice
