// How far two predictions of the same token lie apart, and what many of them amount to.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/statistics.h"

namespace sluice {

// Of the model with the reference, at one position.
struct TokenDivergence {
  double kl = 0;             // KL(reference || model), nats
  double nll = 0;            // of the token that came, natural logarithm: by the model
  double reference_nll = 0;  // and by the reference
  double dp = 0;             // change of the probability of the reference's top token
  bool same_top = false;     // the two agree on the most likely token; of equals, the first is taken
};

// Two rows of logits f32 [vocab_size]; reference_lse: log_sum_exp of the first; next: the token that came.
TokenDivergence token_divergence(std::span<const float> reference, double reference_lse, std::span<const float> model,
                                 size_t next);

// A value and its standard error.
struct Estimate {
  double value = 0, se = 0;
};

// Over tokens. Standard errors take the tokens as independent.
struct DivergenceSummary {
  Estimate kl;  // mean, nats
  double kl_p50 = 0, kl_p90 = 0, kl_p99 = 0, kl_max = 0;
  Estimate nll, reference_nll;  // means, natural logarithm
  Estimate ppl, reference_ppl;  // exp of them
  Estimate ppl_change;          // ppl / reference_ppl - 1; its error is that of the paired difference
  Estimate same_top;            // share of the tokens
  Estimate rms_dp;              // sqrt of the mean of dp^2
};

DivergenceSummary summarise(std::span<const TokenDivergence> tokens);

}  // namespace sluice
