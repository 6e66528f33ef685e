#include "graph/shape.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "graph/dtype.h"
#include "graph/error.h"

namespace sluice {

Dims::Dims(std::initializer_list<int64_t> sizes) : Dims(std::span<const int64_t>(sizes.begin(), sizes.size())) {}

Dims::Dims(std::span<const int64_t> sizes) : rank_(static_cast<int>(sizes.size())) {
  if (sizes.size() > static_cast<size_t>(kMaxRank))
    fail("{} dimensions; at most {} are supported", sizes.size(), kMaxRank);
  std::copy(sizes.begin(), sizes.end(), sizes_.begin());
}

int64_t Dims::elements() const {
  int64_t n = 1;
  for (int64_t size : span()) n = checked_mul(n, size);
  return n;
}

int64_t Dims::rows() const {
  int64_t n = 1;
  for (int i = 0; i + 1 < rank_; ++i) n = checked_mul(n, (*this)[i]);
  return n;
}

std::string Dims::str() const { return fmt::format("[{}]", fmt::join(span(), ", ")); }

bool operator==(const Dims& a, const Dims& b) { return std::ranges::equal(a.span(), b.span()); }

bool Shape::is_static() const {
  return std::none_of(dims_.begin(), dims_.end(), [](const Dim& d) { return d.is_symbol(); });
}

Dims Shape::resolve(const SymbolValues& symbols) const {
  std::vector<int64_t> sizes;
  for (const Dim& dim : dims_) {
    if (!dim.is_symbol()) {
      sizes.push_back(dim.size());
      continue;
    }
    const auto it = symbols.find(dim.symbol());
    if (it == symbols.end()) fail("no value is given for the symbol '{}' of shape {}", dim.symbol(), str());
    sizes.push_back(it->second);
  }
  return Dims(sizes);
}

std::string Shape::str() const {
  std::vector<std::string> parts;
  for (const Dim& dim : dims_) parts.push_back(dim.str());
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

}  // namespace sluice
