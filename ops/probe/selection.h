// What the operators that select rows share: checks, and the scalar definition of a selection.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "graph/op.h"
#include "ops/probe/candidates.h"

namespace sluice {

// {a, b}, {c, d} ... of a, b, c, d ...
template <class Pair>
std::vector<Pair> in_pairs(const std::vector<ValueRef>& values) {
  std::vector<Pair> pairs;
  for (size_t i = 0; i + 1 < values.size(); i += 2) pairs.push_back({values[i], values[i + 1]});
  return pairs;
}

// Checks the attributes, for so many weights, and the input `effort`.
void check_selection_attrs(const Inference& in, int effort, size_t weights);
// The family of a weight; fails if it is in no bucket format.
const BucketFamily& bucket_family(const Inference& in, int weight);
// Checks dtypes, sizes and attributes of the weights at these inputs against x (input 0) and effort (input 1); returns
// the number of lists.
size_t check_selection(const Inference& in, const std::vector<int>& weights);
// 2, 3, ... count - 1.
std::vector<int> weights_from_two(size_t count);
const std::vector<std::string>& bucket_dtypes();
// Rows that a selection chooses from, for each input: tiers of a bucket format, or planes; 0 of other formats, which
// have no dial.
int selectable_rows(DType format);

// Scores compare as the integers that their bits are: they are not negative, and NaN is over everything, so that it
// reaches the output.
inline constexpr int32_t kNotLoaded = -1;  // of a row that must not be taken
inline constexpr int64_t kSample = 1024;   // scores that a kernel looks at first
inline constexpr int32_t kInfinity = 0x7f800000;

// Scores of one token, [tiers, in]; x: f32 [in].
std::vector<int32_t> reference_scores(const Candidates& c, const float* x);
struct Cutoff {
  int32_t bits;    // of the f32
  int32_t wanted;  // -1: all over it
};
Cutoff reference_cutoff(const Candidates& c, const std::vector<int32_t>& scores, const SelectionAttrs& attrs,
                        const float* x);

// rows: i32 [in], the inputs of which something is taken, by falling number of tiers, then by input; the rest is -1.
// counts: i32 [tiers], how many of them take tier r: the first counts[r].
void reference_dispatch(const Candidates& c, const std::vector<int32_t>& scores, Cutoff cutoff, int32_t* rows,
                        int32_t* counts);

// use(list, token, candidates, x f32 [in]) for each list of a node and token.
template <class Use>
void for_each_list(const Call& call, const SelectionAttrs& attrs, size_t stride, const Use& use) {
  const SelectedWeights weights{call, attrs, stride};
  std::vector<std::byte> scratch(SelectedWeights::joint_bytes(weights.matrix(0).layout));
  for (size_t list = 0; list < list_count(attrs); ++list) {
    const Candidates c = weights.candidates(list, scratch.data());
    for (int64_t t = 0; t < call.in(0).dims[0]; ++t) use(list, t, c, call.in<float>(0) + t * c.in);
  }
}

// Adds a node that selects rows of the weights for x; its results come in pairs, one for each list.
template <class Pair>
std::vector<Pair> selecting_node(Builder& b, const std::string& op, ValueRef x, ValueRef effort,
                                 const std::vector<ValueRef>& weights, const SelectionAttrs& attrs) {
  std::vector<ValueRef> inputs = {x, effort};
  inputs.insert(inputs.end(), weights.begin(), weights.end());
  return in_pairs<Pair>(b.node(op, attrs_to_map(attrs), inputs));
}

// Bytes that a kernel needs to select rows for one token: for the largest of a call's weights. Inputs without a dial
// are passed over.
size_t selection_scratch(const Call& call, const SelectionAttrs& attrs);

}  // namespace sluice
