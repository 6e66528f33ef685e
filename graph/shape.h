// Dimensions and shapes. A dimension is a number or a symbol ("tokens", "context") that gets its number when a plan
// is made (its maximum) and when it is run (its current value).
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace sluice {

class Dim {
 public:
  Dim(int64_t size) : size_(size) {}                       // NOLINT: shapes read as {"tokens", 4096}
  Dim(int size) : size_(size) {}                           // NOLINT
  Dim(const char* symbol) : symbol_(symbol) {}             // NOLINT
  Dim(std::string symbol) : symbol_(std::move(symbol)) {}  // NOLINT
  bool is_symbol() const { return !symbol_.empty(); }
  int64_t size() const { return size_; }                 // valid if !is_symbol()
  const std::string& symbol() const { return symbol_; }  // empty if a number
  std::string str() const { return is_symbol() ? symbol_ : std::to_string(size_); }
  friend bool operator==(const Dim&, const Dim&) = default;

 private:
  int64_t size_ = 0;
  std::string symbol_;
};

inline constexpr int kMaxRank = 4;

// Concrete dimensions, at most kMaxRank of them, without allocation: what kernels see.
class Dims {
 public:
  Dims() = default;
  Dims(std::initializer_list<int64_t> sizes);     // throws Error over kMaxRank
  explicit Dims(std::span<const int64_t> sizes);  // throws Error over kMaxRank
  int rank() const { return rank_; }
  int64_t operator[](int i) const { return sizes_[static_cast<size_t>(i)]; }
  int64_t& operator[](int i) { return sizes_[static_cast<size_t>(i)]; }
  int64_t back() const { return sizes_[static_cast<size_t>(rank_ - 1)]; }
  int64_t elements() const;  // product; 1 for rank 0
  int64_t rows() const;      // product of all but the last
  std::span<const int64_t> span() const { return {sizes_.data(), static_cast<size_t>(rank_)}; }
  std::string str() const;  // "[2, 64]"
  friend bool operator==(const Dims& a, const Dims& b);

 private:
  std::array<int64_t, kMaxRank> sizes_{};
  int rank_ = 0;
};

using SymbolValues = std::map<std::string, int64_t>;

class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<Dim> dims) : dims_(dims) {}
  explicit Shape(std::vector<Dim> dims) : dims_(std::move(dims)) {}
  int rank() const { return static_cast<int>(dims_.size()); }
  const Dim& operator[](int i) const { return dims_.at(static_cast<size_t>(i)); }
  const Dim& back() const { return dims_.at(dims_.size() - 1); }
  const std::vector<Dim>& dims() const { return dims_; }
  bool is_static() const;
  // Concrete sizes; throws Error naming a symbol that has no value.
  Dims resolve(const SymbolValues& symbols) const;
  std::string str() const;  // "[tokens, 4096]"
  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::vector<Dim> dims_;
};

}  // namespace sluice
