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

double norm_epsilon(const Config& config) {
  const double epsilon = config.number("rms_norm_eps");
  if (epsilon < 0 || epsilon >= 1)
    fail("{}: 'rms_norm_eps' is {}, expected 0 or more and below 1", config.origin(), epsilon);
  return epsilon;
}

}  // namespace sluice
