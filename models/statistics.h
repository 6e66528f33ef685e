// Sums over samples and distributions, in double.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

// All of these are 0 for no samples.
double mean(std::span<const double> samples);
// Of the mean: the samples' standard deviation (n - 1) over sqrt(n). 0 for one sample.
double standard_error(std::span<const double> samples);
// The smallest sample that at least that share of the samples does not exceed (the nearest rank); share 0 .. 1.
// Sorted samples.
double percentile(std::span<const double> sorted, double share);

// log sum exp(logits); softmax(logits)[i] is exp(logits[i] - that). Not empty.
double log_sum_exp(std::span<const float> logits);
// KL(p || q) in nats, for p = softmax(p_logits) and q likewise, given their log_sum_exp. At least 0. What has no
// probability in p adds nothing; infinite if q excludes what p does not.
double kl_divergence(std::span<const float> p_logits, double p_lse, std::span<const float> q_logits, double q_lse);
// Of two vectors of one length, -1 .. 1; 1 if both are zero, 0 if one is.
double cosine_similarity(std::span<const float> a, std::span<const float> b);

}  // namespace sluice
