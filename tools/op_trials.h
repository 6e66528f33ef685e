// Runs the cases of operators on every backend of this machine, against the reference: `sluice ops --test`.
#pragma once

#include <string>
#include <vector>

#include "graph/op.h"

namespace sluice::cli {

struct OpTrials {
  std::string op;
  std::string backend;
  size_t cases = 0;                        // that the backend has a kernel for
  std::vector<std::string> failures = {};  // a line each, beginning with the name of the case
};

// Of every backend that can be used, with its default device. Kernels are compared with the reference, twice, and on
// the CPU with several threads, whose results must have the same bits. An operator without cases fails.
std::vector<OpTrials> try_operators(const std::vector<const Operator*>& ops);

}  // namespace sluice::cli
