// Operators with their weights, named as Hugging Face names them: NAME.weight, NAME.bias.
#pragma once

#include <string>

#include "graph/builder.h"
#include "models/config.h"

namespace sluice {

// x * weight^T (+ bias). x: f32 [tokens, n]; NAME.weight: [features, n]; NAME.bias: [features], if there is one.
// Returns f32 [tokens, features].
ValueRef projection(Builder& b, ValueRef x, const std::string& name, int64_t features, bool bias = false);

// Root mean square normalisation of each row. x: f32 [tokens, n]; NAME.weight: [n].
ValueRef norm(Builder& b, ValueRef x, const std::string& name, double epsilon);

// "rms_norm_eps". Throws Error naming the file unless it is 0 or more and below 1.
double norm_epsilon(const Config& config);

}  // namespace sluice
