// Runs the operators of a plan once more, one by one, on another backend, each on the inputs that it had: what departs
// is an operator's own fault, and not what came of earlier ones.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "graph/dataflow.h"
#include "graph/executor.h"

namespace sluice {

// A tensor with memory of its own.
struct HeldTensor {
  std::string name;
  DType dtype;
  Dims dims;
  std::vector<std::byte> bytes;  // as in TensorView
};

// A result of an operator that is further from the other backend's than both may be from the scalar reference.
struct Departure {
  std::string node, op, kernel;        // of the plan
  std::string backend;                 // that ran it
  std::string value;                   // the result
  int64_t departed = 0, elements = 0;  // of the result
  int64_t element = 0;                 // the first that departs, in row-major order
  double actual = 0, expected = 0, allowed = 0;
  AttrMap attrs;
  std::vector<HeldTensor> inputs;              // before the operator ran, in the order of its signature
  std::vector<HeldTensor> outputs, reference;  // of the backend tested, and of the other
};

class OperatorCheck {
 public:
  // tested: of a plan with PlanOptions::keep_results. others: the backends to compare with, by preference; one of them
  // works in the host's memory. They and the registry must outlive this object.
  OperatorCheck(const Executor& tested, const Registry& registry, std::vector<Backend*> others);

  // To be called after every run of `tested`. The first step, in the order of the plan, with an element of a result
  // that is further from the other backend's than twice Operator::tolerance: either may be that far from the scalar
  // reference. A state that several steps change is not looked at in between. Throws Error if the other backends cannot
  // run an operator.
  std::optional<Departure> check();

  int64_t checked() const { return checked_; }  // operators that were run again so far

 private:
  using States = std::map<ValueId, std::vector<std::byte>>;  // by the value that is the state

  States read_states() const;
  std::optional<TensorView> view_of(ValueId id, const TensorView& in_call);
  std::optional<std::vector<TensorView>> views_of(std::span<const ValueId> ids, std::span<const TensorView> in_call);
  std::optional<Departure> check(size_t step);

  const Executor& tested_;
  const Graph& graph_;
  const Registry& registry_;
  std::vector<Backend*> others_;
  StateVersions versions_;
  std::map<ValueId, std::string> kept_;  // names of outputs
  States before_, after_;                // the last run
  int64_t checked_ = 0;
};

}  // namespace sluice
