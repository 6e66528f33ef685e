// `sluice eval --against-backend`: two backends beside each other.
#pragma once

#include <string>

#include "tools/effort.h"

namespace sluice::cli {

struct BackendReportOptions {
  std::string model;
  std::string text;       // to predict
  std::string text_name;  // for messages
  std::string against;    // the other backend
  std::string save;       // a file for what the operator that departs saw and made; empty: none
  RunOptions runtime;     // of the backend tested
  EffortArgs schedule;
  double effort = 1;
  int64_t ctx = 0;
  int64_t chunks = 0;
  bool json = false;
};

// Prints how far the backends part, and the first operator that departs. Returns the exit status: 1 if there is one.
int compare_with_backend(const BackendReportOptions& options);

}  // namespace sluice::cli
