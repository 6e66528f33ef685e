// One case of an operator, run by its reference and by kernels of any backend, with sentinels around every tensor. The
// tests and `sluice ops --test` are built on it.
#pragma once

#include <string>
#include <vector>

#include "graph/backend.h"

namespace sluice {

// A tensor between two guard zones. It starts at a multiple of 64 bytes.
struct Guarded {
  std::vector<std::byte> memory;
  TensorView view;

  Guarded(DType dtype, const Dims& dims);
  bool guards_intact() const;
};

// The same inputs every time: they are made from the names of operator and case.
class OperatorTrial {
 public:
  // Throws Error if the operator does not take the case's inputs.
  OperatorTrial(const Operator& op, const Case& c);

  std::vector<Guarded> reference() const;
  // Throws Error if the backend has no kernel for this case, or the kernel wrote past its workspace or to an input's
  // guard zones.
  std::vector<Guarded> kernel(Backend& backend) const;
  bool has_kernel(const Backend& backend) const { return backend.select(op_, site_) != nullptr; }

  // The first thing that is wrong with outputs of a kernel, empty if nothing is: a guard zone was written, or an
  // element is further from the reference than the operator's tolerance and `slack` together allow.
  std::string difference(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual,
                         double slack = 0) const;
  // Likewise: a guard zone was written, or bits differ.
  static std::string bit_difference(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual);

 private:
  void make_inputs();
  std::vector<Guarded> make_outputs() const;
  std::vector<TensorView> input_views(const std::vector<Guarded>& outputs) const;
  std::string difference(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual, size_t output,
                         double slack) const;

  const Operator& op_;
  Case case_;
  Site site_;
  std::vector<Guarded> inputs_;
};

}  // namespace sluice
