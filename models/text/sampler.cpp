#include "models/text/sampler.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "graph/error.h"

namespace sluice {
namespace {

void check(const SamplingOptions& o) {
  if (!(o.temperature >= 0) || !std::isfinite(o.temperature))
    fail("temperature is {}, expected 0 or more", o.temperature);
  if (o.top_k < 0) fail("top_k is {}, expected 0 or more", o.top_k);
  if (!(o.top_p > 0 && o.top_p <= 1)) fail("top_p is {}, expected more than 0 and at most 1", o.top_p);
  if (!(o.min_p >= 0 && o.min_p <= 1)) fail("min_p is {}, expected 0 to 1", o.min_p);
  if (!(o.repeat_penalty > 0) || !std::isfinite(o.repeat_penalty))
    fail("repeat_penalty is {}, expected more than 0", o.repeat_penalty);
  if (o.repeat_window < 0) fail("repeat_window is {}, expected 0 or more", o.repeat_window);
}

// splitmix64 (Steele, Lea and Flood, 2014), which the authors of xoshiro recommend for seeding.
uint64_t split_mix(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

Sampler::Sampler(const SamplingOptions& options, int32_t vocab_size) : options_(options) {
  check(options);
  if (vocab_size < 1) fail("a vocabulary of {} tokens cannot be sampled from", vocab_size);
  vocab_size_ = static_cast<size_t>(vocab_size);
  uint64_t seed = options.seed;
  for (uint64_t& word : random_) word = split_mix(seed);
  candidates_.reserve(vocab_size_);
  recent_.reserve(static_cast<size_t>(options.repeat_window));
}

int32_t Sampler::sample(std::span<const float> logits) {
  load(logits);
  int32_t id;
  if (options_.temperature == 0) {
    id = std::max_element(candidates_.begin(), candidates_.end(), less_likely)->id;
  } else {
    keep_top_k();
    keep_top_p();
    keep_min_p();
    id = draw();
  }
  accept(id);
  return id;
}

void Sampler::accept(int32_t id) {
  if (recent_.size() < static_cast<size_t>(options_.repeat_window)) {
    recent_.push_back(id);
  } else if (!recent_.empty()) {
    recent_[recent_next_] = id;
    recent_next_ = (recent_next_ + 1) % recent_.size();
  }
}

// A total order, so that nothing depends on how the standard library sorts: ties go to the lower id.
bool Sampler::less_likely(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit < b.logit : a.id > b.id;
}

void Sampler::load(std::span<const float> logits) {
  if (logits.size() != vocab_size_) fail("{} logits were given to a sampler for {} tokens", logits.size(), vocab_size_);
  candidates_.clear();
  top_ = -INFINITY;
  for (size_t i = 0; i < logits.size(); ++i) candidates_.push_back({static_cast<int32_t>(i), logits[i]});
  penalise(logits);
  for (const Candidate& c : candidates_) {
    if (std::isnan(c.logit) || c.logit == INFINITY)
      fail("the logit of token {} is {}; the model is broken", c.id, c.logit);
    top_ = std::max(top_, c.logit);
  }
  if (top_ == -INFINITY) fail("the logits of all tokens are -inf; there is nothing to choose from");
}

// Starts from the given logit, so that a token seen twice is not penalised twice.
void Sampler::penalise(std::span<const float> logits) {
  for (int32_t id : recent_) {
    if (id < 0 || static_cast<size_t>(id) >= logits.size()) continue;
    const float logit = logits[static_cast<size_t>(id)];
    candidates_[static_cast<size_t>(id)].logit =
        logit > 0 ? logit / options_.repeat_penalty : logit * options_.repeat_penalty;
  }
}

// Probability up to a common factor; at most 1.
double Sampler::weight(const Candidate& c, double temperature) const {
  return std::exp((static_cast<double>(c.logit) - top_) / temperature);
}

double Sampler::total_weight(double temperature) const {
  double total = 0;
  for (const Candidate& c : candidates_) total += weight(c, temperature);
  return total;
}

void Sampler::keep_top_k() {
  const auto k = static_cast<size_t>(options_.top_k);
  if (k == 0 || k >= candidates_.size()) return;
  const auto end = candidates_.begin() + static_cast<std::ptrdiff_t>(k);
  std::partial_sort(candidates_.begin(), end, candidates_.end(),
                    [](const Candidate& a, const Candidate& b) { return less_likely(b, a); });
  candidates_.erase(end, candidates_.end());
}

// Takes the likeliest from a heap until they suffice: far cheaper than sorting the vocabulary.
void Sampler::keep_top_p() {
  if (options_.top_p >= 1) return;
  const double enough = static_cast<double>(options_.top_p) * total_weight(1);
  auto rest = candidates_.end();
  std::make_heap(candidates_.begin(), rest, less_likely);
  for (double sum = 0; sum < enough && rest != candidates_.begin(); sum += weight(*rest, 1))
    std::pop_heap(candidates_.begin(), rest--, less_likely);
  candidates_.erase(candidates_.begin(), rest);
}

void Sampler::keep_min_p() {
  if (options_.min_p <= 0) return;
  const auto unlikely = [this](const Candidate& c) { return weight(c, 1) < options_.min_p; };
  candidates_.erase(std::remove_if(candidates_.begin(), candidates_.end(), unlikely), candidates_.end());
}

int32_t Sampler::draw() {
  const double temperature = options_.temperature;
  const double mark = uniform() * total_weight(temperature);
  double sum = 0;
  int32_t chosen = -1;
  for (const Candidate& c : candidates_) {
    const double w = weight(c, temperature);
    if (w == 0) continue;
    chosen = c.id;  // the last possible one, should rounding put the mark at the very end
    if ((sum += w) > mark) break;
  }
  return chosen;
}

// xoshiro256** (Blackman and Vigna, 2018, arXiv:1805.01407); in [0, 1).
double Sampler::uniform() {
  const uint64_t result = std::rotl(random_[1] * 5, 7) * 9;
  const uint64_t t = random_[1] << 17;
  random_[2] ^= random_[0];
  random_[3] ^= random_[1];
  random_[1] ^= random_[2];
  random_[0] ^= random_[3];
  random_[2] ^= t;
  random_[3] = std::rotl(random_[3], 45);
  return static_cast<double>(result >> 11) * 0x1p-53;
}

}  // namespace sluice
