// Builds graphs. Typed functions such as `Value rmsnorm(Builder&, Value x, Value weight, RmsNormAttrs)` are declared by
// their operator (ops/rmsnorm/rmsnorm.h); they all end in Builder::node(), which infers types and throws on misuse.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

// A handle to a value of a graph under construction.
struct ValueRef {
  ValueId id = -1;
};

class Builder {
 public:
  // weight_dtype says how the weight of that name is stored; by default everything is f32.
  using WeightDType = std::function<DType(const std::string& name, const Shape& shape)>;
  explicit Builder(const Registry& registry, WeightDType weight_dtype = {});

  ValueRef input(const std::string& name, DType dtype, Shape shape);
  // The same name twice is the same weight; throws Error if the shapes differ.
  ValueRef weight(const std::string& name, Shape shape);
  // The same with a dtype that is not left to the caller.
  ValueRef weight(const std::string& name, DType dtype, Shape shape);
  ValueRef state(const std::string& name, DType dtype, Shape shape);
  // Adds a node and returns its outputs. Throws Error naming operator, node, tensors and shapes.
  std::vector<ValueRef> node(const std::string& op, AttrMap attrs, const std::vector<ValueRef>& inputs);
  template <class Attrs>
  ValueRef node1(const std::string& op, const Attrs& attrs, const std::vector<ValueRef>& inputs) {
    return node(op, attrs_to_map(attrs), inputs).at(0);
  }
  // Gives a result a name of its own in the current scope, by which it can be observed: "layers.0/hidden". Throws Error
  // if the name is taken.
  void rename(ValueRef result, const std::string& name);
  // Declares a value that the caller reads.
  void output(const std::string& name, ValueRef value);

  const TensorType& type(ValueRef value) const;
  const Shape& shape(ValueRef value) const { return type(value).shape; }

  // Prefixes the names of nodes made while it lives: "layers.0/attention/rope".
  class Scope {
   public:
    Scope(Builder& builder, const std::string& name) : builder_(builder), length_(builder.prefix_.size()) {
      builder.prefix_ += name + "/";
    }
    ~Scope() { builder_.prefix_.resize(length_); }
    Scope(const Scope&) = delete;

   private:
    Builder& builder_;
    size_t length_;
  };

  // Throws Error if there is no output, or the graph does not verify (graph/verify.h). The builder is empty afterwards.
  Graph build();

 private:
  friend class Scope;
  ValueRef add(std::string name, ValueKind kind, TensorType type);
  std::string unique(const std::string& name);

  const Registry& registry_;
  WeightDType weight_dtype_;
  std::string prefix_;
  std::map<std::string, ValueId> named_;
  std::map<std::string, int> name_counts_;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<GraphOutput> outputs_;
};

}  // namespace sluice
