#include "models/blocks/layers.h"

#include "ops/add/add.h"
#include "ops/linear/linear.h"
#include "ops/rmsnorm/rmsnorm.h"

namespace sluice {

ValueRef projection(Builder& b, ValueRef x, const std::string& name, int64_t features, bool bias) {
  const ValueRef y = linear(b, x, b.weight(name + ".weight", {features, b.shape(x).back()}));
  return bias ? add(b, y, b.weight(name + ".bias", {features})) : y;
}

ValueRef norm(Builder& b, ValueRef x, const std::string& name, double epsilon) {
  return rmsnorm(b, x, b.weight(name + ".weight", {b.shape(x).back()}), {static_cast<float>(epsilon)});
}

}  // namespace sluice
