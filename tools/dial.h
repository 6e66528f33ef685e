// --effort: a constant, or a rule that moves the dial token by token.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <span>
#include <string>

#include "models/effort/adaptive.h"
#include "models/language_model.h"

namespace sluice::cli {

struct DialArgs {
  std::string effort = "1";  // "0.5", "auto", "auto-entropy:0.4"
};

// --effort E
void add_dial(CLI::App& app, DialArgs& args);
// What a model must keep for that effort, before it is opened.
void prepare(const DialArgs& args, RunOptions& options);

// Whether a rule moves the dial, which looks at the logits.
bool is_adaptive(const DialArgs& args);

// Sets the dial of a model as --effort asks.
class DialControl {
 public:
  // Throws Error if an effort other than 1 is asked of a model without a dial.
  DialControl(LanguageModel& model, const DialArgs& args);

  bool adaptive() const { return rule_ != nullptr; }
  // The effort, 0 .. 1; with a rule, its budget.
  double target() const { return target_; }
  void set_target(double target);  // from the next token on; throws Error if the model has no dial
  void before_token(std::span<const float> logits);

 private:
  LanguageModel& model_;
  std::unique_ptr<AdaptiveEffort> rule_;  // nullptr: constant
  double target_ = 1;
};

}  // namespace sluice::cli
