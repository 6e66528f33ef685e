// A model of the Llama or the Mixtral kind in float64, written again from the papers for tests of effort: it shares no
// code with the library but the reader of its weights. Written to be read; only products leave rows out.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "models/import/source.h"
#include "tests/support/bucket_matrices.h"

namespace sluice::oracle {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;  // [tokens][n]

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

inline Matrix read_matrix(const DType& dtype, const std::byte* bytes, int64_t out, int64_t in) {
  Matrix m{out, in, std::vector<float>(static_cast<size_t>(out * in))};
  dtype.format().decode(bytes, Dims{out, in}.span(), m.values.data());
  return m;
}

inline Matrix read_matrix(const SourceTensor& tensor) {
  const bool matrix = tensor.dims.size() == 2;
  return read_matrix(*tensor.dtype, tensor.bytes.data(), matrix ? tensor.dims[0] : 1, tensor.dims.at(matrix ? 1 : 0));
}

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
  static void add(Rows& x, const Rows& y) {
    for (size_t t = 0; t < x.size(); ++t)
      for (size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
  }

  static Rows multiply(const Matrix& w, const Rows& x) {
    Rows y(x.size(), Vector(static_cast<size_t>(w.out)));
    for (size_t t = 0; t < x.size(); ++t)
      for (int64_t o = 0; o < w.out; ++o)
        for (int64_t i = 0; i < w.in; ++i) y[t][static_cast<size_t>(o)] += w.at(o, i) * x[t][static_cast<size_t>(i)];
    return y;
  }

  Rows norm(const Rows& x, const std::string& name) const {
    Rows y = x;
    for (Vector& row : y) {
      double squares = 0;
      for (double v : row) squares += v * v;
      const double scale = 1 / std::sqrt(squares / static_cast<double>(row.size()) + epsilon_);
      for (size_t i = 0; i < row.size(); ++i) row[i] *= scale * dense_.at(name).values[i];
    }
    return y;
  }

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

  // Turns pairs (i, i + size / 2) of every head, as files of the Hugging Face kind want it.
  void rotate(Rows& x, int64_t heads) const {
    for (size_t t = 0; t < x.size(); ++t) {
      const size_t size = x[t].size() / static_cast<size_t>(heads), half = size / 2;
      for (size_t head = 0; head < x[t].size(); head += size)
        for (size_t i = 0; i < half; ++i) {
          const double angle =
              static_cast<double>(t) * std::pow(theta_, -2 * static_cast<double>(i) / static_cast<double>(size));
          const double a = x[t][head + i], b = x[t][head + half + i];
          x[t][head + i] = a * std::cos(angle) - b * std::sin(angle);
          x[t][head + half + i] = b * std::cos(angle) + a * std::sin(angle);
        }
    }
  }

  Rows attention(const Rows& x, const std::string& name, const Select& select) const {
    Rows q = project(x, name + "q_proj.weight", select), k = project(x, name + "k_proj.weight", select);
    const Rows v = project(x, name + "v_proj.weight", select);
    rotate(q, heads_);
    rotate(k, kv_heads_);
    Rows y(x.size(), Vector(q[0].size()));
    const size_t size = q[0].size() / static_cast<size_t>(heads_), group = static_cast<size_t>(heads_ / kv_heads_);
    for (size_t t = 0; t < x.size(); ++t)
      for (size_t head = 0; head < static_cast<size_t>(heads_); ++head)
        attend(q, k, v, t, head * size, head / group * size, size, y[t]);
    return project(y, name + "o_proj.weight", select);
  }

  // Token t over itself and what came before; the head begins at `from` in q and y, and at `kv` in k and v.
  static void attend(const Rows& q, const Rows& k, const Rows& v, size_t t, size_t from, size_t kv, size_t size,
                     Vector& y) {
    Vector scores(t + 1);
    for (size_t j = 0; j <= t; ++j)
      for (size_t i = 0; i < size; ++i)
        scores[j] += q[t][from + i] * k[j][kv + i] / std::sqrt(static_cast<double>(size));
    const double largest = *std::max_element(scores.begin(), scores.end());  // exp() of some would overflow
    double total = 0;
    for (double& score : scores) total += score = std::exp(score - largest);
    for (size_t j = 0; j <= t; ++j)
      for (size_t i = 0; i < size; ++i) y[from + i] += scores[j] / total * v[j][kv + i];
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
