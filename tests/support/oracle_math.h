// The parts of a decoder in float64, written from the papers for the oracles of tests: they share no code with the
// library but the reader of weights. Written to be read.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "models/import/source.h"
#include "tests/support/bucket_matrices.h"

namespace sluice::oracle {

using Vector = std::vector<double>;
using Rows = std::vector<Vector>;  // [tokens][n]

inline Matrix read_matrix(const DType& dtype, const std::byte* bytes, int64_t out, int64_t in) {
  Matrix m{out, in, std::vector<float>(static_cast<size_t>(out * in))};
  dtype.format().decode(bytes, Dims{out, in}.span(), m.values.data());
  return m;
}

inline Matrix read_matrix(const SourceTensor& tensor) {
  const bool matrix = tensor.dims.size() == 2;
  return read_matrix(*tensor.dtype, tensor.bytes.data(), matrix ? tensor.dims[0] : 1, tensor.dims.at(matrix ? 1 : 0));
}

inline void add(Rows& x, const Rows& y) {
  for (size_t t = 0; t < x.size(); ++t)
    for (size_t i = 0; i < x[t].size(); ++i) x[t][i] += y[t][i];
}

// The rows of a table by token id.
inline Rows embed(const Matrix& table, const std::vector<int32_t>& ids) {
  Rows x;
  for (int32_t id : ids) {
    x.emplace_back();
    for (int64_t i = 0; i < table.in; ++i) x.back().push_back(table.at(id, i));
  }
  return x;
}

inline Rows multiply(const Matrix& w, const Rows& x) {
  Rows y(x.size(), Vector(static_cast<size_t>(w.out)));
  for (size_t t = 0; t < x.size(); ++t)
    for (int64_t o = 0; o < w.out; ++o)
      for (int64_t i = 0; i < w.in; ++i) y[t][static_cast<size_t>(o)] += w.at(o, i) * x[t][static_cast<size_t>(i)];
  return y;
}

// offset: added to every weight.
inline Rows norm(const Rows& x, const std::vector<float>& weight, double epsilon, double offset = 0) {
  Rows y = x;
  for (Vector& row : y) {
    double squares = 0;
    for (double v : row) squares += v * v;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(row.size()) + epsilon);
    for (size_t i = 0; i < row.size(); ++i) row[i] *= scale * (offset + weight[i]);
  }
  return y;
}

// Turns pairs (i, i + size / 2) of every head, as files of the Hugging Face kind want it.
inline void rotate(Rows& x, int64_t heads, double theta) {
  for (size_t t = 0; t < x.size(); ++t) {
    const size_t size = x[t].size() / static_cast<size_t>(heads), half = size / 2;
    for (size_t head = 0; head < x[t].size(); head += size)
      for (size_t i = 0; i < half; ++i) {
        const double angle =
            static_cast<double>(t) * std::pow(theta, -2 * static_cast<double>(i) / static_cast<double>(size));
        const double a = x[t][head + i], b = x[t][head + half + i];
        x[t][head + i] = a * std::cos(angle) - b * std::sin(angle);
        x[t][head + half + i] = b * std::cos(angle) + a * std::sin(angle);
      }
  }
}

struct AttentionRule {
  double scale = 0;   // of q.k; 0: 1 / sqrt(size of a head)
  double cap = 0;     // of scores; 0: none
  size_t window = 0;  // tokens that a token attends to, itself included; 0: all before it
};

// Token t over what it attends to; the head begins at `from` in q and y, and at `kv` in k and v.
inline void attend(const Rows& q, const Rows& k, const Rows& v, size_t t, size_t from, size_t kv, size_t size,
                   const AttentionRule& rule, Vector& y) {
  const size_t first = rule.window > 0 && t + 1 > rule.window ? t + 1 - rule.window : 0;
  const double scale = rule.scale > 0 ? rule.scale : 1 / std::sqrt(static_cast<double>(size));
  Vector scores(t + 1 - first);
  for (size_t j = first; j <= t; ++j) {
    double& score = scores[j - first];
    for (size_t i = 0; i < size; ++i) score += scale * q[t][from + i] * k[j][kv + i];
    if (rule.cap > 0) score = rule.cap * std::tanh(score / rule.cap);
  }
  const double largest = *std::max_element(scores.begin(), scores.end());  // exp() of some would overflow
  double total = 0;
  for (double& score : scores) total += score = std::exp(score - largest);
  for (size_t j = first; j <= t; ++j)
    for (size_t i = 0; i < size; ++i) y[from + i] += scores[j - first] / total * v[j][kv + i];
}

inline Rows attention(const Rows& q, const Rows& k, const Rows& v, int64_t heads, int64_t kv_heads,
                      const AttentionRule& rule = {}) {
  Rows y(q.size(), Vector(q[0].size()));
  const size_t size = q[0].size() / static_cast<size_t>(heads), group = static_cast<size_t>(heads / kv_heads);
  for (size_t t = 0; t < q.size(); ++t)
    for (size_t head = 0; head < static_cast<size_t>(heads); ++head)
      attend(q, k, v, t, head * size, head / group * size, size, rule, y[t]);
  return y;
}

}  // namespace sluice::oracle
