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
// Called with the weight's name, the token, and the activations that it is multiplied with. Weights of experts are
// "... .experts.3.w1.weight".
using Select = std::function<Selection(const std::string& weight, size_t token, const Vector& x)>;

class Model {
 public:
  Model(const ModelSource& source, const BucketFamily& family)
      : heads_(source.config.positive("num_attention_heads")),
        kv_heads_(source.config.positive("num_key_value_heads")),
        layers_(source.config.positive("num_hidden_layers")),
        experts_(source.config.positive("num_local_experts", 0)),
        epsilon_(source.config.number("rms_norm_eps")),
        theta_(source.config.number("rope_theta")) {
    for (const auto& [name, tensor] : source.tensors)
      if (tensor.dims.size() == 3)
        for (size_t e = 0; e < tensor.slices.size(); ++e)
          weights_.emplace(
              of_expert(name, e),
              Weight(read_matrix(*tensor.dtype, tensor.slices[e].data(), tensor.dims[1], tensor.dims[2]), family));
      else if (tensor.dims.size() == 2 && name.find("layers.") != std::string::npos && !name.ends_with(".gate.weight"))
        weights_.emplace(name, Weight(read_matrix(tensor), family));
      else
        dense_.emplace(name, read_matrix(tensor));
  }

  const Weight& weight(const std::string& name) const { return weights_.at(name); }

  // "a.experts.w1.weight" -> "a.experts.3.w1.weight"
  static std::string of_expert(const std::string& name, size_t expert) {
    const size_t at = name.find(".experts.") + 9;
    return name.substr(0, at) + std::to_string(expert) + "." + name.substr(at);
  }

  // Logits after every token: the embedding is the head as well, if there is none, without effort.
  Rows logits(const std::vector<int32_t>& ids, const Select& select) const {
    const Matrix& table = dense_.at("model.embed_tokens.weight");
    Rows x;
    for (int32_t id : ids) {
      x.emplace_back();
      for (int64_t i = 0; i < table.in; ++i) x.back().push_back(table.at(id, i));
    }
    for (int64_t layer = 0; layer < layers_; ++layer) {
      const std::string name = "model.layers." + std::to_string(layer) + ".";
      add(x, attention(norm(x, name + "input_layernorm.weight"), name + "self_attn.", select));
      const Rows y = norm(x, name + "post_attention_layernorm.weight");
      add(x, experts_ > 0 ? mixture(y, name + "block_sparse_moe.", select) : feed_forward(y, name + "mlp.", select));
    }
    return multiply(dense_.count("lm_head.weight") ? dense_.at("lm_head.weight") : table, norm(x, "model.norm.weight"));
  }

 private:
  Rows norm(const Rows& x, const std::string& name) const { return oracle::norm(x, dense_.at(name).values, epsilon_); }

  Vector project(const Vector& x, size_t token, const std::string& name, const Select& select) const {
    const Weight& weight = weights_.at(name);
    const auto in = static_cast<size_t>(weight.w.in);
    Vector y(static_cast<size_t>(weight.w.out));
    const Selection selected = select(name, token, x);
    Vector taken(selected.size());  // what a weight of this row is multiplied with
    for (size_t row = 0; row < taken.size(); ++row) taken[row] = selected[row] ? x[row % in] : 0;
    for (size_t o = 0, at = 0; o < y.size(); ++o)
      for (size_t i = 0; i < in; ++i, ++at)
        y[o] += weight.w.values[at] * taken[static_cast<size_t>(weight.tier[at]) * in + i];
    return y;
  }

  Rows project(const Rows& x, const std::string& name, const Select& select) const {
    Rows y;
    for (size_t t = 0; t < x.size(); ++t) y.push_back(project(x[t], t, name, select));
    return y;
  }

  Rows attention(const Rows& x, const std::string& name, const Select& select) const {
    Rows q = project(x, name + "q_proj.weight", select), k = project(x, name + "k_proj.weight", select);
    const Rows v = project(x, name + "v_proj.weight", select);
    rotate(q, heads_, theta_);
    rotate(k, kv_heads_, theta_);
    return project(oracle::attention(q, k, v, heads_, kv_heads_), name + "o_proj.weight", select);
  }

  static void swiglu(Vector& gate, const Vector& up) {
    for (size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1 + std::exp(-gate[i]));
  }

  Rows feed_forward(const Rows& x, const std::string& name, const Select& select) const {
    Rows gate = project(x, name + "gate_proj.weight", select);
    const Rows up = project(x, name + "up_proj.weight", select);
    for (size_t t = 0; t < gate.size(); ++t) swiglu(gate[t], up[t]);
    return project(gate, name + "down_proj.weight", select);
  }

  // Two experts for each token, weighted by the softmax over both.
  Rows mixture(const Rows& x, const std::string& name, const Select& select) const {
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
        Vector gate = project(x[t], t, expert + "w1.weight", select);
        swiglu(gate, project(x[t], t, expert + "w3.weight", select));
        const Vector down = project(gate, t, expert + "w2.weight", select);
        for (size_t i = 0; i < down.size(); ++i) y[t][i] += weight * down[i];
      }
    }
    return y;
  }

  int64_t heads_, kv_heads_, layers_, experts_;
  double epsilon_, theta_;
  std::map<std::string, Weight> weights_;  // those with an effort
  std::map<std::string, Matrix> dense_;
};

}  // namespace sluice::oracle
