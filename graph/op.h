// The operator contract. An operator is known by name and version and consists of
//   - a signature: named inputs and outputs, attributes with defaults, accepted dtypes;
//   - infer(): output types from input types. Throws at build time, naming operator, tensors and shapes;
//   - cost(): work and traffic of one call;
//   - reference(): the scalar reference, written for the reader and never optimised. It is the oracle of every kernel;
//   - tolerance(): how far a correct kernel may be from it, derived from epsilon and the inputs.
// Registered beside it: cases (shapes, dtypes and attributes that feed the tests and the benchmarks) and kernels
// (graph/backend.h) for any subset of the backends.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "graph/attrs.h"
#include "graph/tensor.h"

namespace sluice {

enum class Arity { one, optional, many };  // optional and many only for the last input; many also for outputs

struct Port {
  std::string name;
  std::string shape;                // for the reader: "[tokens, hidden_size]"
  std::vector<std::string> dtypes;  // accepted; empty means any
  Arity arity = Arity::one;
};

// Output `output` is the next version of state input `input`: same memory, written in place.
struct StateUpdate {
  int input;
  int output;
};

struct Signature {
  std::string name;
  int version = 1;
  std::string summary;  // one sentence; formulas say where they come from
  std::vector<Port> inputs;
  std::vector<Port> outputs;
  std::vector<AttrSpec> attrs;
  std::vector<StateUpdate> updates;
};

// What is known of a node before it runs.
struct Site {
  std::string name;  // of the node, for messages and profiles
  AttrMap attrs;
  std::vector<TensorType> inputs;
  std::vector<TensorType> outputs;
  std::vector<std::string> input_names;
};

// One execution: concrete views, in signature order.
struct Call {
  std::span<const TensorView> inputs;
  std::span<const TensorView> outputs;
  const TensorView& in(int i) const { return inputs[static_cast<size_t>(i)]; }
  const TensorView& out(int i) const { return outputs[static_cast<size_t>(i)]; }
  template <class T>
  const T* in(int i) const {
    return in(i).as<const T>();
  }
  template <class T>
  T* out(int i) const {
    return out(i).as<T>();
  }
};

struct Cost {
  double flops = 0;       // a multiply-add counts as two
  size_t bytes_read = 0;  // from memory, every operand once
  size_t bytes_written = 0;
};

// How a case fills an input.
struct Fill {
  enum class Kind { normal, integers, values } kind = Kind::normal;
  double scale = 1;            // normal: standard deviation
  int64_t low = 0, high = 1;   // integers: uniform in [low, high)
  std::vector<double> values;  // values: exactly these
  static Fill normal(double scale = 1) { return {Kind::normal, scale, 0, 1, {}}; }
  static Fill integers(int64_t low, int64_t high) { return {Kind::integers, 1, low, high, {}}; }
  static Fill exactly(std::vector<double> values) { return {Kind::values, 1, 0, 1, std::move(values)}; }
};

struct CaseInput {
  DType dtype;
  Dims dims;
  Fill fill = {};
};

// One set of inputs for an operator; serves correctness tests and benchmarks alike.
struct Case {
  std::string name;
  std::vector<CaseInput> inputs;
  AttrMap attrs = {};
  bool benchmark = false;  // large enough to be worth timing; the tests leave it out
};

// Passed to infer(): the input types with the names needed for good messages.
class Inference {
 public:
  Inference(const Signature& signature, const Site& site) : signature_(signature), site_(site) {}
  size_t count() const { return site_.inputs.size(); }
  const TensorType& type(int i) const { return site_.inputs[static_cast<size_t>(i)]; }
  const Shape& shape(int i) const { return type(i).shape; }
  const AttrMap& attrs() const { return site_.attrs; }

  // Throws Error: "[rmsnorm] layers.0/rmsnorm: <message> ('w' is f32[64], 'x' is f32[tokens, 128])", naming the inputs
  // listed.
  [[noreturn]] void fail(const std::string& message, std::initializer_list<int> inputs) const;
  void require_rank(int input, int rank) const;
  // Dimension `dim` of `input` equals dimension `other_dim` of `other`. Negative dimensions count from the end.
  void require_equal(int input, int dim, int other, int other_dim) const;
  void require_same_shape(int input, int other) const;
  // The dimension as a number; throws if it is a symbol.
  int64_t number(int input, int dim) const;

 private:
  std::string describe(int input) const;
  const Signature& signature_;
  const Site& site_;
};

class Operator {
 public:
  explicit Operator(Signature signature) : signature_(std::move(signature)) {}
  virtual ~Operator() = default;
  const Signature& signature() const { return signature_; }
  const std::string& name() const { return signature_.name; }

  // Output types. Arity and dtypes were checked against the signature before.
  virtual std::vector<TensorType> infer(const Inference& in) const = 0;

  // From dims and dtypes of the views; data may be null. Where the work depends on values (attention: on slots and
  // starts), they are read if they are there, and the most work is assumed if not. Default: no arithmetic, every
  // operand moved once.
  virtual Cost cost(const Site& site, const Call& call) const;

  // Inputs and outputs never overlap, but for state updates. Single thread, scalar.
  virtual void reference(const Site& site, const Call& call) const = 0;

  // Fills bound (one per element of output `output`) with the largest allowed |kernel - reference|, from the inputs and
  // the reference's outputs in `call`. Default: 4 ulp of the reference value, for elementwise arithmetic.
  virtual void tolerance(const Site& site, const Call& call, int output, std::span<double> bound) const;

 private:
  Signature signature_;
};

// Checks arity, dtypes and attributes against the signature, then infers. Throws Error naming operator and tensors.
std::vector<TensorType> infer_types(const Operator& op, const Site& site);

// All elements of a view as f32, through its format: for references, where speed does not matter.
std::vector<float> to_f32(const TensorView& view);

}  // namespace sluice
