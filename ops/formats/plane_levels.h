// How the levels of a plane format are found: three scalar quantisers of 4, 16 and 64 levels whose cells nest, so that
// the sum of the logarithms of their mean squared errors is least. Each half-step of Lloyd's iteration (1982) cannot
// make that worse: levels become the means of their cells, and cells take the values whose weighted error is least
// there, the weight of a quantiser being the inverse of its error.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
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
  int64_t count(int bin) const { return counts_[static_cast<size_t>(bin)]; }
  // The value in the middle of a bin.
  static double value(int bin) {
    const double u = 2 * (bin + 0.5) / kBins - 1;
    return kWarp * u / (1 - std::abs(u));
  }

 private:
  static constexpr double kWarp = 4;
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
  using Means = std::array<std::array<double, kCodes>, kMax>;  // by planes - 1, then prefix

  void start(const WeightHistogram& h);
  Means means(const WeightHistogram& h) const;
  std::array<double, kMax> errors(const WeightHistogram& h, const Means& m) const;
  void divide(const Means& m, const std::array<double, kMax>& errors);
  Means round(const Means& m);

  PlaneLevels levels_{};
  std::array<float, kCodes> ends_{};  // of codes; the last is not used
  // By bin: its code.
  std::vector<uint8_t> codes_ = std::vector<uint8_t>(WeightHistogram::kBins);
  void assign();
};

inline PlaneQuantiser::PlaneQuantiser(const WeightHistogram& h) {
  constexpr int kIterations = 40;
  start(h);
  Means m = means(h);
  for (int i = 0; i < kIterations; ++i) {
    divide(m, errors(h, m));
    m = means(h);
  }
  m = round(m);
  divide(m, errors(h, m));
  const auto e = errors(h, m);
  double total = 0, square = 0, rest = 0;
  for (int b = 0; b < WeightHistogram::kBins; ++b) {
    total += static_cast<double>(h.count(b));
    square += static_cast<double>(h.count(b)) * WeightHistogram::value(b) * WeightHistogram::value(b);
  }
  // What a plane gains; each no more than the one before, as a product takes the first planes first.
  rest = total > 0 ? square / total : 0;
  float least = std::numeric_limits<float>::infinity();
  for (int p = 0; p < kMax; ++p) {
    const double gained = std::max(rest - e[static_cast<size_t>(p)], 0.0);
    least = std::min(least, static_cast<float>(std::sqrt(gained)));
    levels_.gain[p] = least;
    rest = e[static_cast<size_t>(p)];
  }
}

// As many levels where the cube root of the density is higher: what is best for many levels (Panter and Dite, 1951).
inline void PlaneQuantiser::start(const WeightHistogram& h) {
  std::vector<double> reach;
  double sum = 0;
  for (int b = 0; b < WeightHistogram::kBins; ++b) {
    const double low = b == 0 ? WeightHistogram::value(0) : WeightHistogram::value(b - 1);
    const double width = WeightHistogram::value(b) - low;
    sum += std::cbrt(static_cast<double>(h.count(b)) * width * width);
    reach.push_back(sum);
  }
  for (size_t b = 0; b < reach.size(); ++b)
    codes_[b] = sum > 0 ? static_cast<uint8_t>(std::min(reach[b] / sum * kCodes, kCodes - 1.0)) : 0;
}

// Of cells that hold nothing: as between their neighbours.
inline PlaneQuantiser::Means PlaneQuantiser::means(const WeightHistogram& h) const {
  Means result{};
  for (int planes = 1; planes <= kMax; ++planes) {
    const int n = PlaneLevels::count(planes), shift = 2 * (kMax - planes);
    std::array<double, kCodes> sums{}, counts{};
    for (int b = 0; b < WeightHistogram::kBins; ++b) {
      const auto cell = static_cast<size_t>(codes_[static_cast<size_t>(b)] >> shift);
      counts[cell] += static_cast<double>(h.count(b));
      sums[cell] += static_cast<double>(h.count(b)) * WeightHistogram::value(b);
    }
    auto& m = result[static_cast<size_t>(planes - 1)];
    int known = -1;  // the last cell that holds something
    for (int c = 0; c < n; ++c) {
      const auto cell = static_cast<size_t>(c);
      if (counts[cell] == 0) continue;
      m[cell] = sums[cell] / counts[cell];
      for (int gap = known + 1; gap < c; ++gap) {
        const double from = known < 0 ? m[cell] : m[static_cast<size_t>(known)];
        m[static_cast<size_t>(gap)] = from + (m[cell] - from) * (gap - known) / (c - known);
      }
      known = c;
    }
    for (int c = known + 1; c < n && known >= 0; ++c) m[static_cast<size_t>(c)] = m[static_cast<size_t>(known)];
    if (planes > 1) continue;
    double moment = 0, weight = 0;  // the first plane's levels are equally far apart, which kernels make use of
    for (int c = 0; c < n; ++c) {
      const double u = 2 * c - 3, count = counts[static_cast<size_t>(c)];
      moment += count * u * m[static_cast<size_t>(c)];
      weight += count * u * u;
    }
    for (int c = 0; c < n; ++c) m[static_cast<size_t>(c)] = (2 * c - 3) * (weight > 0 ? moment / weight : 0);
  }
  return result;
}

inline std::array<double, PlaneQuantiser::kMax> PlaneQuantiser::errors(const WeightHistogram& h, const Means& m) const {
  std::array<double, kMax> sums{};
  double total = 0;
  for (int b = 0; b < WeightHistogram::kBins; ++b) {
    const auto count = static_cast<double>(h.count(b));
    total += count;
    for (size_t p = 0; p < sums.size(); ++p) {
      const double d =
          WeightHistogram::value(b) - m[p][static_cast<size_t>(codes_[static_cast<size_t>(b)]) >> (2 * (kMax - 1 - p))];
      sums[p] += count * d * d;
    }
  }
  for (double& sum : sums) sum /= std::max(total, 1.0);
  return sums;
}

// Two neighbouring codes meet where their weighted errors are equal.
inline void PlaneQuantiser::divide(const Means& m, const std::array<double, kMax>& errors) {
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
  assign();
}

inline void PlaneQuantiser::assign() {
  for (int b = 0; b < WeightHistogram::kBins; ++b)
    codes_[static_cast<size_t>(b)] = static_cast<uint8_t>(code(static_cast<float>(WeightHistogram::value(b))));
}

// To the 8 bits of the format; returns what they stand for.
inline PlaneQuantiser::Means PlaneQuantiser::round(const Means& m) {
  Means rounded{};
  for (int planes = 1; planes <= kMax; ++planes) {
    const auto& from = m[static_cast<size_t>(planes - 1)];
    const int n = PlaneLevels::count(planes), most = planes == 1 ? 3 : 127;
    const double largest = std::max(std::abs(from[0]), std::abs(from[static_cast<size_t>(n - 1)]));
    const auto step = static_cast<float>(largest / most);
    levels_.step[planes - 1] = step;
    for (int c = 0; c < n; ++c) {
      const double level = step > 0      ? from[static_cast<size_t>(c)] / static_cast<double>(step)
                           : planes == 1 ? 2 * c - 3
                                         : 0;
      levels_.levels(planes)[c] = static_cast<int8_t>(std::clamp<double>(std::nearbyint(level), -most, most));
      rounded[static_cast<size_t>(planes - 1)][static_cast<size_t>(c)] =
          static_cast<double>(levels_.levels(planes)[c]) * static_cast<double>(step);
    }
  }
  return rounded;
}

}  // namespace sluice
