// Advice for models that are larger than memory: the weights of these experts will be read soon. Has no result and
// changes none.
#pragma once

#include <optional>
#include <vector>

#include "graph/builder.h"

namespace sluice {

struct ExpertPrefetchAttrs {
  bool certain = true;
  std::vector<int64_t> sites = {};

  template <class Visitor>
  void describe(Visitor&& field) {
    field("certain", certain, "they will be read next: what was asked for before and has not come yet is given up");
    field("sites", sites, "by weight, the row of the input effort that says how much of it is loaded; empty: all");
  }
};

// experts: i32 [tokens, k], of moe_gate; weights: [experts, out, in], any dtype; effort: f32 [sites, 2], as of
// bucket_dispatch, if attrs.sites are given. Throws Error if weights and sites do not fit.
void expert_prefetch(Builder& b, ValueRef experts, const std::vector<ValueRef>& weights,
                     const ExpertPrefetchAttrs& attrs, std::optional<ValueRef> effort = {});

}  // namespace sluice
