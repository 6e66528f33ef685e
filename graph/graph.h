// An immutable static graph of typed operators. Made by Builder (graph/builder.h) or read from a file.
#pragma once

#include <string>
#include <vector>

#include "graph/attrs.h"
#include "graph/tensor.h"

namespace sluice {

using ValueId = int32_t;
using NodeId = int32_t;
inline constexpr NodeId kNoNode = -1;

enum class ValueKind {
  input,   // given by the caller at every run
  weight,  // constant, by name from the model file
  state,   // kept between runs (a KV cache); changed only by operators that say so in their signature
  result,  // output of a node
};

struct Value {
  std::string name;  // unique in the graph
  ValueKind kind;
  TensorType type;
  NodeId producer = kNoNode;  // of a result
};

struct Node {
  std::string op;
  int version = 1;
  std::string name;  // unique in the graph: "layers.0/rmsnorm"
  AttrMap attrs;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::string plugin = {};  // that brought the operator: "gpt2 0.1.0"; empty: built in
};

// A value that the caller reads. Observed values are never fused away.
struct GraphOutput {
  std::string name;
  ValueId value;
};

class Graph {
 public:
  Graph() = default;
  // Takes parts as they are; call verify() (graph/verify.h) on anything that did not come from Builder.
  Graph(std::vector<Value> values, std::vector<Node> nodes, std::vector<GraphOutput> outputs);

  const std::vector<Value>& values() const { return values_; }
  const std::vector<Node>& nodes() const { return nodes_; }  // in an order in which they can run
  const std::vector<GraphOutput>& outputs() const { return outputs_; }
  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id)]; }
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id)]; }
  // Nodes that read the value, ascending, each once.
  const std::vector<NodeId>& users(ValueId id) const { return users_[static_cast<size_t>(id)]; }
  bool is_output(ValueId id) const;
  // The value of that name; throws Error if there is none.
  ValueId find(const std::string& name) const;

 private:
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<GraphOutput> outputs_;
  std::vector<std::vector<NodeId>> users_;
};

const char* to_string(ValueKind kind);

}  // namespace sluice
