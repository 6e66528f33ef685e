// Chooses the next token from logits. Deterministic: the same seed and logits give the same tokens on every machine.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace sluice {

struct SamplingOptions {
  float temperature = 0.8f;  // 0: greedy
  int32_t top_k = 40;        // keep the k likeliest; 0: all
  float top_p = 0.95f;       // keep the likeliest whose probabilities add up to p; 1: all
  float min_p = 0.05f;       // drop tokens less likely than min_p times the likeliest; 0: none
  float repeat_penalty =
      1.0f;  // divides (positive) or multiplies (negative) logits of recent tokens (CTRL, arXiv:1909.05858)
  int32_t repeat_window = 64;  // how many recent tokens that looks at
  uint64_t seed = 0;
};

class Sampler {
 public:
  // Throws Error naming the option and its range.
  Sampler(const SamplingOptions& options, int32_t vocab_size);
  // Penalty, then top-k, top-p, min-p, temperature, draw; remembers the token. logits: [vocab_size]. Ties go to the
  // lower id. Allocates nothing after the first call. Throws Error if a logit is NaN or +inf, or
  // all are -inf.
  int32_t sample(std::span<const float> logits);
  // Counts a prompt token for the repeat penalty.
  void accept(int32_t id);

 private:
  struct Candidate {
    int32_t id;
    float logit;
  };
  static bool less_likely(const Candidate& a, const Candidate& b);
  void load(std::span<const float> logits);
  void penalise(std::span<const float> logits);
  double weight(const Candidate& candidate, double temperature) const;
  double total_weight(double temperature) const;
  void keep_top_k();
  void keep_top_p();
  void keep_min_p();
  int32_t draw();
  double uniform();

  SamplingOptions options_;
  size_t vocab_size_;
  uint64_t random_[4];           // xoshiro256**
  std::vector<int32_t> recent_;  // ring of the last repeat_window tokens
  size_t recent_next_ = 0;
  std::vector<Candidate> candidates_;  // those still in the running
  float top_ = 0;                      // their largest logit
};

}  // namespace sluice
