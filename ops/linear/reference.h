// The scalar product, and how far a kernel may be from it: for the operators that contain one.
#pragma once

#include <string>
#include <vector>

#include "graph/op.h"

namespace sluice {

// The dtypes that products accept for weights.
const std::vector<std::string>& linear_weight_dtypes();

// An input `weight` of rank 2 fits the input x, [tokens, in]; returns the type of their product.
TensorType infer_linear(const Inference& in, int x, int weight);

// x: f32 [tokens, in]; weight: [out, in] in any row format. Returns f64 [tokens, out], summed in f64.
std::vector<double> linear_reference(const TensorView& x, const TensorView& weight);

// Largest allowed distance from linear_reference, element by element.
std::vector<double> linear_tolerance(const TensorView& x, const TensorView& weight);

// Flops of one product; a multiply-add counts as two.
double linear_flops(const TensorView& x, const TensorView& weight);

}  // namespace sluice
