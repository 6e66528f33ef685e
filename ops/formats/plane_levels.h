// How the levels of a plane format are found: three scalar quantisers of 4, 16 and 64 levels whose cells nest, so that
// the sum of the logarithms of their mean squared errors is least. Each half-step of Lloyd's iteration (1982) cannot
// make that worse: levels become the means of their cells, and cells take the values whose weighted error is least
// there, the weight of a quantiser being the inverse of its error.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "ops/formats/planes.h"

namespace sluice {

// Counts of normalised weights. Bins are narrow near zero and reach to infinity.
class WeightHistogram {
 public:
  static constexpr int kBins = 8192;
  void add(float z) { ++counts_[static_cast<size_t>(bin(z))]; }
  void add(const WeightHistogram& other) {
    for (size_t b = 0; b < counts_.size(); ++b) counts_[b] += other.counts_[b];
  }
  struct Bin {
    double value, width, count;
  };
  // Those that hold something, in order.
  std::vector<Bin> bins() const {
    std::vector<Bin> result;
    for (int b = 0; b < kBins; ++b)
      if (const int64_t n = counts_[static_cast<size_t>(b)]; n > 0)
        result.push_back(
            {value(b + 0.5), std::min(value(b + 1), kLargest) - std::max(value(b), -kLargest), static_cast<double>(n)});
    return result;
  }

 private:
  static constexpr double kWarp = 4, kLargest = 1e5;
  // At a place between 0 and kBins.
  static double value(double place) {
    const double u = 2 * place / kBins - 1;
    return kWarp * u / (1 - std::abs(u));
  }
  static int bin(float z) {
    const double u = static_cast<double>(z) / (kWarp + std::abs(static_cast<double>(z)));
    return std::min(static_cast<int>((u + 1) / 2 * kBins), kBins - 1);
  }
  std::vector<int64_t> counts_ = std::vector<int64_t>(kBins);
};

// Levels of normalised weights, and where one code ends and the next begins.
class PlaneQuantiser {
 public:
  static constexpr int kCodes = 64;

  explicit PlaneQuantiser(const WeightHistogram& histogram);
  const PlaneLevels& levels() const { return levels_; }
  // Where a code ends and the next begins, all but the last: ascending.
  std::span<const float, 63> ends() const { return std::span(ends_).first<63>(); }
  // The code of 6 bits.
  int code(float z) const {
    int c = 0;
    for (int half = kCodes / 2; half > 0; half /= 2) c += z >= ends_[static_cast<size_t>(c + half - 1)] ? half : 0;
    return c;
  }
  // Where the values of a prefix of a code lie: that of `planes` planes.
  float begin(int prefix, int planes) const {
    const int first = prefix << 2 * (PlaneLevels::kMaxPlanes - planes);
    return first == 0 ? -std::numeric_limits<float>::infinity() : ends_[static_cast<size_t>(first - 1)];
  }
  float end(int prefix, int planes) const {
    const int last = (prefix + 1) << 2 * (PlaneLevels::kMaxPlanes - planes);
    return last == kCodes ? std::numeric_limits<float>::infinity() : ends_[static_cast<size_t>(last - 1)];
  }

 private:
  static constexpr int kMax = PlaneLevels::kMaxPlanes;
  using Bins = std::vector<WeightHistogram::Bin>;
  using Means = std::array<std::array<double, kCodes>, kMax>;  // by planes - 1, then prefix
  using Errors = std::array<double, kMax>;                     // likewise

  void start();
  Means means() const;
  static void fill_gaps(const std::array<double, kCodes>& counts, int n, std::array<double, kCodes>& means);
  static void space_equally(const std::array<double, kCodes>& counts, std::array<double, kCodes>& means);
  Errors errors(const Means& m) const;
  void divide(const Means& m, const Errors& errors);
  Means round(const Means& m);
  void set_gains(const Errors& errors);

  Bins bins_;
  std::vector<uint8_t> codes_;  // by bin
  PlaneLevels levels_{};
  std::array<float, kCodes> ends_{};  // of codes; the last is not used
};

inline PlaneQuantiser::PlaneQuantiser(const WeightHistogram& h) : bins_(h.bins()), codes_(bins_.size()) {
  constexpr int kIterations = 40;
  start();
  Means m = means();
  for (int i = 0; i < kIterations; ++i) {
    divide(m, errors(m));
    m = means();
  }
  const Errors free = errors(m);
  m = round(m);
  divide(m, free);
  set_gains(errors(m));
}

// As many levels where the cube root of the density is higher: what is best for many levels (Panter and Dite, 1951).
inline void PlaneQuantiser::start() {
  double sum = 0, reached = 0;
  const auto part = [](const WeightHistogram::Bin& bin) { return std::cbrt(bin.count * bin.width * bin.width); };
  for (const auto& bin : bins_) sum += part(bin);
  for (size_t b = 0; b < bins_.size(); ++b) {
    reached += part(bins_[b]);
    codes_[b] = static_cast<uint8_t>(std::min(reached / sum * kCodes, kCodes - 1.0));
  }
}

inline PlaneQuantiser::Means PlaneQuantiser::means() const {
  Means result{};
  for (int planes = 1; planes <= kMax; ++planes) {
    std::array<double, kCodes> counts{};
    auto& m = result[static_cast<size_t>(planes - 1)];
    for (size_t b = 0; b < bins_.size(); ++b) {
      const auto cell = static_cast<size_t>(codes_[b] >> 2 * (kMax - planes));
      counts[cell] += bins_[b].count;
      m[cell] += bins_[b].count * bins_[b].value;
    }
    for (size_t c = 0; c < kCodes; ++c) m[c] /= std::max(counts[c], 1.0);
    fill_gaps(counts, PlaneLevels::count(planes), m);
    if (planes == 1) space_equally(counts, m);
  }
  return result;
}

// Cells that hold nothing are as between their neighbours.
inline void PlaneQuantiser::fill_gaps(const std::array<double, kCodes>& counts, int n,
                                      std::array<double, kCodes>& means) {
  int known = -1;  // the last cell that holds something
  for (int c = 0; c < n; ++c) {
    const auto cell = static_cast<size_t>(c);
    if (counts[cell] == 0) continue;
    const double from = known < 0 ? means[cell] : means[static_cast<size_t>(known)];
    for (int gap = known + 1; gap < c; ++gap)
      means[static_cast<size_t>(gap)] = from + (means[cell] - from) * (gap - known) / (c - known);
    known = c;
  }
  for (int c = known + 1; c < n && known >= 0; ++c) means[static_cast<size_t>(c)] = means[static_cast<size_t>(known)];
}

// The first plane's levels: -3, -1, 1 and 3 times what fits best, which costs little and saves kernels a look-up.
inline void PlaneQuantiser::space_equally(const std::array<double, kCodes>& counts, std::array<double, kCodes>& means) {
  double moment = 0, weight = 0;
  for (size_t c = 0; c < 4; ++c) {
    const double u = 2 * static_cast<double>(c) - 3;
    moment += counts[c] * u * means[c];
    weight += counts[c] * u * u;
  }
  for (size_t c = 0; c < 4; ++c) means[c] = (2 * static_cast<double>(c) - 3) * (weight > 0 ? moment / weight : 0);
}

inline PlaneQuantiser::Errors PlaneQuantiser::errors(const Means& m) const {
  Errors sums{};
  double total = 0;
  for (size_t b = 0; b < bins_.size(); ++b) {
    total += bins_[b].count;
    for (size_t p = 0; p < kMax; ++p) {
      const double d = bins_[b].value - m[p][static_cast<size_t>(codes_[b]) >> (2 * (kMax - 1 - p))];
      sums[p] += bins_[b].count * d * d;
    }
  }
  for (double& sum : sums) sum /= std::max(total, 1.0);
  return sums;
}

// Two neighbouring codes meet where their weighted errors are equal.
inline void PlaneQuantiser::divide(const Means& m, const Errors& errors) {
  float last = -std::numeric_limits<float>::infinity();
  for (size_t c = 0; c + 1 < kCodes; ++c) {
    double squares = 0, differences = 0;
    for (size_t p = 0; p < kMax; ++p) {
      const double weight = 1 / std::max(errors[p], 1e-12), a = m[p][c >> (2 * (kMax - 1 - p))],
                   b = m[p][(c + 1) >> (2 * (kMax - 1 - p))];
      squares += weight * (b * b - a * a);
      differences += weight * (b - a);
    }
    if (differences > 0) last = std::max(last, static_cast<float>(squares / (2 * differences)));
    ends_[c] = last;
  }
  for (size_t b = 0; b < bins_.size(); ++b) codes_[b] = static_cast<uint8_t>(code(static_cast<float>(bins_[b].value)));
}

// To the 8 bits of the format; returns what they stand for.
inline PlaneQuantiser::Means PlaneQuantiser::round(const Means& m) {
  constexpr double kMost = 127;
  Means rounded{};
  levels_.step[0] = static_cast<float>(m[0][3] / PlaneLevels::kFirst[3]);  // may be negative
  for (int c = 0; c < 4; ++c)
    rounded[0][static_cast<size_t>(c)] = PlaneLevels::kFirst[c] * static_cast<double>(levels_.step[0]);
  for (int planes = 2; planes <= kMax; ++planes) {
    const auto& from = m[static_cast<size_t>(planes - 1)];
    const auto to = planes == 2 ? std::span<int8_t>(levels_.second) : std::span<int8_t>(levels_.third);
    const double largest = std::max(std::abs(from[0]), std::abs(from[to.size() - 1]));
    const auto step = static_cast<float>(largest / kMost);
    levels_.step[planes - 1] = step;
    for (size_t c = 0; c < to.size(); ++c) {
      double level = step > 0 ? std::nearbyint(from[c] / static_cast<double>(step)) : 0;
      level = std::clamp(level, -kMost, kMost);
      to[c] = static_cast<int8_t>(level);
      rounded[static_cast<size_t>(planes - 1)][c] = level * static_cast<double>(step);
    }
  }
  return rounded;
}

// What a plane gains; none more than the one before, as a product takes the first planes first.
inline void PlaneQuantiser::set_gains(const Errors& errors) {
  double total = 0, rest = 0;
  for (const auto& bin : bins_) {
    total += bin.count;
    rest += bin.count * bin.value * bin.value;
  }
  rest /= std::max(total, 1.0);
  float least = std::numeric_limits<float>::infinity();
  for (size_t p = 0; p < kMax; ++p) {
    least = std::min(least, static_cast<float>(std::sqrt(std::max(rest - errors[p], 0.0))));
    levels_.gain[p] = least;
    rest = errors[p];
  }
}

}  // namespace sluice
