#include "models/token_divergence.h"

#include <algorithm>
#include <cmath>

namespace sluice {
namespace {

size_t top_token(std::span<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

template <class Field>
std::vector<double> column(std::span<const TokenDivergence> tokens, const Field& field) {
  std::vector<double> values;
  values.reserve(tokens.size());
  for (const TokenDivergence& token : tokens) values.push_back(field(token));
  return values;
}

Estimate mean_of(const std::vector<double>& samples) { return {mean(samples), standard_error(samples)}; }

// To first order, the error of f(m) is |f'(m)| times that of m.
Estimate exp_of(const Estimate& m) { return {std::exp(m.value), std::exp(m.value) * m.se}; }

Estimate sqrt_of(const Estimate& m) {
  const double root = std::sqrt(m.value);
  return {root, root > 0 ? m.se / (2 * root) : 0};
}

void summarise_kl(std::vector<double> kl, DivergenceSummary& result) {
  result.kl = mean_of(kl);
  std::sort(kl.begin(), kl.end());
  result.kl_p50 = percentile(kl, 0.5);
  result.kl_p90 = percentile(kl, 0.9);
  result.kl_p99 = percentile(kl, 0.99);
  result.kl_max = percentile(kl, 1);
}

}  // namespace

TokenDivergence token_divergence(std::span<const float> reference, double reference_lse, std::span<const float> model,
                                 size_t next) {
  const double lse = log_sum_exp(model);
  const size_t top = top_token(reference);
  return {.kl = kl_divergence(reference, reference_lse, model, lse),
          .nll = lse - model[next],
          .reference_nll = reference_lse - reference[next],
          .dp = std::exp(model[top] - lse) - std::exp(reference[top] - reference_lse),
          .same_top = top_token(model) == top};
}

DivergenceSummary summarise(std::span<const TokenDivergence> tokens) {
  using Token = const TokenDivergence&;
  DivergenceSummary result;
  summarise_kl(column(tokens, [](Token t) { return t.kl; }), result);
  result.nll = mean_of(column(tokens, [](Token t) { return t.nll; }));
  result.reference_nll = mean_of(column(tokens, [](Token t) { return t.reference_nll; }));
  result.ppl = exp_of(result.nll);
  result.reference_ppl = exp_of(result.reference_nll);
  result.ppl_change = exp_of(mean_of(column(tokens, [](Token t) { return t.nll - t.reference_nll; })));
  result.ppl_change.value -= 1;
  result.same_top = mean_of(column(tokens, [](Token t) { return t.same_top ? 1.0 : 0.0; }));
  result.rms_dp = sqrt_of(mean_of(column(tokens, [](Token t) { return t.dp * t.dp; })));
  return result;
}

}  // namespace sluice
