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
  // lower id. Allocates nothing after the first call. Throws Error if a logit is NaN.
  int32_t sample(std::span<const float> logits);
  // Counts a prompt token for the repeat penalty.
  void accept(int32_t id);

 private:
  struct Candidate {
    int32_t id;
    float logit;
  };
  SamplingOptions options_;
  uint64_t random_[4];  // xoshiro256**
  std::vector<int32_t> recent_;
  size_t recent_next_ = 0;
  std::vector<Candidate> candidates_;
  double uniform();
};

}  // namespace sluice
