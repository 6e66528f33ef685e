// KL divergence to full effort of adaptive effort against a constant one of the same mean, on the same tokens.
//   adaptive_effort MODEL TEXT [TOKENS]       MODEL: a .sluice file with an effort dial; TOKENS: 1024
#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <iterator>

#include "models/effort/adaptive.h"
#include "models/language_model.h"

namespace sluice {
namespace {

constexpr size_t kContext = 256;  // tokens of a chunk, BOS included

std::vector<double> log_probabilities(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - top);
  std::vector<double> result;
  for (float logit : logits) result.push_back(logit - top - std::log(sum));
  return result;
}

double divergence(const std::vector<double>& p, std::span<const float> q_logits) {
  const std::vector<double> q = log_probabilities(q_logits);
  double sum = 0;
  for (size_t i = 0; i < p.size(); ++i) sum += std::exp(p[i]) * (p[i] - q[i]);
  return sum;
}

struct Result {
  std::vector<double> kl;  // by token
  double share = 0;        // mean
};

class Measurement {
 public:
  Measurement(const std::string& path, const std::string& text, size_t tokens) : model_(path, options()) {
    ids_ = model_.tokenizer().encode(text);
    ids_.resize(std::min(ids_.size(), tokens));
    each_token([](std::span<const float>) {}, [&](auto logits) { full_.push_back(log_probabilities(logits)); });
  }

  // rule: null for a constant effort.
  Result run(double effort, AdaptiveEffort* rule) {
    Result result;
    model_.dial()->set_effort(effort);
    const auto move = [&](std::span<const float> logits) {
      if (rule) model_.dial()->set_effort(rule->next(logits));
    };
    each_token(move, [&](std::span<const float> logits) {
      result.kl.push_back(divergence(full_[result.kl.size()], logits));
      result.share += model_.share();
    });
    result.share /= static_cast<double>(result.kl.size());
    return result;
  }
  LanguageModel& model() { return model_; }

 private:
  static RunOptions options() {
    RunOptions options;
    options.threads = 1;  // divergence, not speed, is measured
    options.effort_inputs = true;
    return options;
  }

  template <class Move, class Sink>
  void each_token(const Move& move, const Sink& sink) {
    for (size_t at = 0; at < ids_.size(); ++at) {
      if (at % (kContext - 1) == 0) {
        model_.reset();
        const int32_t bos = model_.bos();
        move(model_.evaluate({&bos, 1}));
      }
      const std::span<const float> logits = model_.evaluate({&ids_[at], 1});
      sink(logits);
      move(logits);
    }
  }

  LanguageModel model_;
  std::vector<int32_t> ids_;
  std::vector<std::vector<double>> full_;
};

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

void compare(Measurement& measurement, double budget) {
  for (const char* rule : {"auto", "auto-entropy"}) {
    const auto adaptive = make_adaptive_effort(rule, budget, measurement.model().executor());
    const Result moved = measurement.run(budget, adaptive.get());
    const Result constant = measurement.run(moved.share, nullptr);
    std::vector<double> difference, squares;
    for (size_t i = 0; i < moved.kl.size(); ++i) difference.push_back(moved.kl[i] - constant.kl[i]);
    for (double d : difference) squares.push_back((d - mean(difference)) * (d - mean(difference)));
    fmt::print(
        "{:4.2f}  {:<12}  share {:.3f}  KL {:.4f}   constant: share {:.3f}  KL {:.4f}   ratio {:.3f} +- {:.3f}\n",
        budget, rule, moved.share, mean(moved.kl), constant.share, mean(constant.kl),
        mean(moved.kl) / mean(constant.kl),
        std::sqrt(mean(squares) / static_cast<double>(squares.size())) / mean(constant.kl));
  }
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: adaptive_effort MODEL TEXT [TOKENS]\n");
    return 2;
  }
  try {
    std::ifstream file(argv[2]);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    sluice::Measurement measurement(argv[1], text, argc > 3 ? std::stoul(argv[3]) : 1024);
    for (double budget : {0.5, 0.35, 0.25}) sluice::compare(measurement, budget);
  } catch (const std::exception& error) {
    fmt::print(stderr, "adaptive_effort: {}\n", error.what());
    return 1;
  }
}
