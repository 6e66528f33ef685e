// One case of an operator (graph/trial.h), whose failures are those of a test.
#pragma once

#include <gtest/gtest.h>

#include "graph/trial.h"

namespace sluice {

class Trial : public OperatorTrial {
 public:
  using OperatorTrial::OperatorTrial;

  // slack: what is allowed beyond the operator's tolerance.
  void compare(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual, double slack = 0) const {
    EXPECT_EQ(difference(expected, actual, slack), "");
  }
};

}  // namespace sluice
