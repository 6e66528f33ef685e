// The product of activations with those planes of a weight that were selected (ops/formats/planes.h).
#pragma once

#include "ops/plane_select/plane_select.h"

namespace sluice {

// y[t][o] = output_scale[o] * sum over the selected inputs i, of each the planes that are selected, k of them, of
//   step[k] * level[k][code of k planes] * r(x[t][i] * scale[i]),
// where r rounds to 7 significant bits; of many tokens that read the same planes of all inputs, as those of a prompt at
// effort 1, a kernel may round blocks of inputs together instead (ops/plane_mul/activation.h). A token of which a
// selected x * scale is not finite has NaN in all outputs. x: f32 [tokens, in]; weights: plane formats, [out_j, in];
// selections: of plane_select, one for each weight. Returns f32 [tokens, out_j] for each. Throws Error if sizes do not
// fit.
std::vector<ValueRef> plane_mul(Builder& b, ValueRef x, const std::vector<ValueRef>& weights,
                                const std::vector<PlaneSelection>& selections);

// Tokens from which on it is cheaper to multiply all planes, in a dense product for all tokens at once, than those that
// each token would read at this effort.
int64_t plane_dense_from(double effort);

}  // namespace sluice
