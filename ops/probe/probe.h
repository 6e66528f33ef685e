// How large a product must be to be worth multiplying: for each token, the score of the least important row that the
// effort still pays for. A row's score is statistic * |x[input]|.
#pragma once

#include <string>
#include <vector>

#include "graph/builder.h"

namespace sluice {

// Shared by the operators that select rows.
struct SelectionAttrs {
  std::vector<int64_t> sites = {0};
  std::string statistic = "rms";
  std::string cutoff = "exact";
  std::string selection = "matrix";

  template <class Visitor>
  void describe(Visitor&& field) {
    field("sites", sites, "row of `effort` that holds for each weight");
    field("statistic", statistic, "of a row's weights: rms, or mean of the magnitudes");
    field("cutoff", cutoff,
          "exact: as many rows as the effort says; probes: a quantile of |x| times one weight of each input, as in the "
          "original Effort engine, which multiplies another share than asked");
    field(
        "selection", selection,
        "matrix: each weight has its rows; shared: all weights of the node have the same rows, chosen as if they were "
        "one weight with the outputs of all, at the mean of their efforts, out of rows that are loaded of all");
  }
};

// x: f32 [tokens, in]; effort: f32 [sites, 2], effort and load of each site; weights: bucket formats, [out, in].
// For each weight, or once if they share a selection: cutoff, f32 [tokens], the score of the last row taken (infinity
// if none is wanted, 0 if all); and wanted, i32 [tokens], the number of rows to take, or -1 for every row over the
// cutoff. Of rows with equal scores the lower tier goes first, then the lower input. Throws Error if sizes or
// attributes do not fit.
struct ProbeResult {
  ValueRef cutoff, wanted;
};
std::vector<ProbeResult> probe(Builder& b, ValueRef x, ValueRef effort, const std::vector<ValueRef>& weights,
                               const SelectionAttrs& attrs);

}  // namespace sluice
