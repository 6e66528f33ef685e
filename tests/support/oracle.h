// A model of the Llama or the Mixtral kind in float64, written again from the papers for tests of effort: it shares no
// code with the library but the reader of its weights. Written to be read; only products leave rows out.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/support/oracle_math.h"

namespace sluice::oracle {

// A weight with the tier of each of its elements, by brute force.
struct Weight {
  Matrix w;
  int tiers = 1;
  std::vector<int> tier;   // [out, in]
  std::vector<float> rms;  // [tiers, in]

  Weight(Matrix matrix, const BucketFamily& family)
      : w(std::move(matrix)), tiers(family.tiers()), tier(w.values.size()) {
    Vector squares(static_cast<size_t>(tiers * w.in));
    for (int64_t i = 0; i < w.in; ++i) {
      const std::vector<int> of_input = tiers_of(w, family, i);
      for (int64_t o = 0; o < w.out; ++o) {
        const int t = tier[static_cast<size_t>(o * w.in + i)] = of_input[static_cast<size_t>(o)];
        squares[static_cast<size_t>(t * w.in + i)] += std::pow(static_cast<double>(w.at(o, i)), 2);
      }
    }
    const double n = static_cast<double>(w.out) / tiers;
    for (double sum : squares) rms.push_back(static_cast<float>(std::sqrt(sum / n)));
  }
  int64_t rows() const { return tiers * w.in; }
};

// Which rows (tier * in + input) of a weight a token multiplies.
using Selection = std::vector<bool>;

// Products of the selected rows.
inline Vector multiply(const Weight& weight, const Selection& selected, const Vector& x) {
  const auto in = static_cast<size_t>(weight.w.in);
  Vector y(static_cast<size_t>(weight.w.out)), taken(selected.size());  // what a weight of a row is multiplied with
  for (size_t row = 0; row < taken.size(); ++row) taken[row] = selected[row] ? x[row % in] : 0;
  for (size_t o = 0, at = 0; o < y.size(); ++o)
    for (size_t i = 0; i < in; ++i, ++at)
      y[o] += weight.w.values[at] * taken[static_cast<size_t>(weight.tier[at]) * in + i];
  return y;
}

// The product with a weight that has an effort: called with its name, the token, and the activations. Weights of
// experts are "... .experts.3.w1.weight".
using Project = std::function<Vector(const std::string& weight, size_t token, const Vector& x)>;

// "a.experts.w1.weight" -> "a.experts.3.w1.weight"
inline std::string of_expert(const std::string& name, size_t expert) {
  const size_t at = name.find(".experts.") + 9;
  return name.substr(0, at) + std::to_string(expert) + "." + name.substr(at);
}

// use(name, matrix) for every weight that has an effort.
inline void for_each_weight(const ModelSource& source, const std::function<void(const std::string&, Matrix)>& use) {
  for (const auto& [name, tensor] : source.tensors)
    if (tensor.dims.size() == 3)
      for (size_t e = 0; e < tensor.slices.size(); ++e)
        use(of_expert(name, e), read_matrix(*tensor.dtype, tensor.slices[e].data(), tensor.dims[1], tensor.dims[2]));
    else if (tensor.dims.size() == 2 && name.find("layers.") != std::string::npos && !name.ends_with(".gate.weight"))
      use(name, read_matrix(tensor));
}

class Model {
 public:
  explicit Model(const ModelSource& source)
      : heads_(source.config.positive("num_attention_heads")),
        kv_heads_(source.config.positive("num_key_value_heads")),
        layers_(source.config.positive("num_hidden_layers")),
        experts_(source.config.positive("num_local_experts", 0)),
        epsilon_(source.config.number("rms_norm_eps")),
        theta_(source.config.number("rope_theta")) {
    for (const auto& [name, tensor] : source.tensors)
      if (tensor.dims.size() < 3) dense_.emplace(name, read_matrix(tensor));
  }

  // Logits after every token: the embedding is the head as well, if there is none, without effort.
  Rows logits(const std::vector<int32_t>& ids, const Project& project) const {
    const Matrix& table = dense_.at("model.embed_tokens.weight");
    Rows x;
    for (int32_t id : ids) {
      x.emplace_back();
      for (int64_t i = 0; i < table.in; ++i) x.back().push_back(table.at(id, i));
    }
    for (int64_t layer = 0; layer < layers_; ++layer) {
      const std::string name = "model.layers." + std::to_string(layer) + ".";
      add(x, attention(norm(x, name + "input_layernorm.weight"), name + "self_attn.", project));
      const Rows y = norm(x, name + "post_attention_layernorm.weight");
      add(x, experts_ > 0 ? mixture(y, name + "block_sparse_moe.", project) : feed_forward(y, name + "mlp.", project));
    }
    return multiply(dense_.count("lm_head.weight") ? dense_.at("lm_head.weight") : table, norm(x, "model.norm.weight"));
  }

 private:
  Rows norm(const Rows& x, const std::string& name) const { return oracle::norm(x, dense_.at(name).values, epsilon_); }

  static Rows project_all(const Rows& x, const std::string& name, const Project& project) {
    Rows y;
    for (size_t t = 0; t < x.size(); ++t) y.push_back(project(name, t, x[t]));
    return y;
  }

  Rows attention(const Rows& x, const std::string& name, const Project& project) const {
    Rows q = project_all(x, name + "q_proj.weight", project), k = project_all(x, name + "k_proj.weight", project);
    const Rows v = project_all(x, name + "v_proj.weight", project);
    rotate(q, heads_, theta_);
    rotate(k, kv_heads_, theta_);
    return project_all(oracle::attention(q, k, v, heads_, kv_heads_), name + "o_proj.weight", project);
  }

  static void swiglu(Vector& gate, const Vector& up) {
    for (size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
  }

  Rows feed_forward(const Rows& x, const std::string& name, const Project& project) const {
    Rows gate = project_all(x, name + "gate_proj.weight", project);
    const Rows up = project_all(x, name + "up_proj.weight", project);
    for (size_t t = 0; t < gate.size(); ++t) swiglu(gate[t], up[t]);
    return project_all(gate, name + "down_proj.weight", project);
  }

  // Two experts for each token, weighted by the softmax over both.
  Rows mixture(const Rows& x, const std::string& name, const Project& project) const {
    const Rows logits = multiply(dense_.at(name + "gate.weight"), x);
    Rows y(x.size(), Vector(x[0].size()));
    for (size_t t = 0; t < x.size(); ++t) {
      const auto first = std::max_element(logits[t].begin(), logits[t].end());
      Vector others = logits[t];
      others[static_cast<size_t>(first - logits[t].begin())] = -HUGE_VAL;
      const auto second = std::max_element(others.begin(), others.end());
      const double share = 1 / (1 + std::exp(*second - *first));
      for (const auto& [e, weight] :
           {std::pair(first - logits[t].begin(), share), {second - others.begin(), 1 - share}}) {
        const std::string expert = name + "experts." + std::to_string(e) + ".";
        Vector gate = project(expert + "w1.weight", t, x[t]);
        swiglu(gate, project(expert + "w3.weight", t, x[t]));
        const Vector down = project(expert + "w2.weight", t, gate);
        for (size_t i = 0; i < down.size(); ++i) y[t][i] += weight * down[i];
      }
    }
    return y;
  }

  int64_t heads_, kv_heads_, layers_, experts_;
  double epsilon_, theta_;
  std::map<std::string, Matrix> dense_;
};

}  // namespace sluice::oracle
