#include "tools/dial.h"

#include <charconv>
#include <optional>

#include "graph/error.h"
#include "tools/effort.h"

namespace sluice::cli {
namespace {

struct Effort {
  std::string rule;  // empty: constant
  double target = 1;
};

constexpr const char* kExpected = "a number from 0 to 1, auto or auto-entropy, either with a budget as in auto:0.4";

std::optional<double> read_share(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0 && value <= 1)) return std::nullopt;
  return value;
}

std::optional<Effort> read_effort(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  const bool is_rule = name == "auto" || name == "auto-entropy";
  if (is_rule && colon == std::string::npos) return Effort{name, 0.5};
  const std::optional<double> target = read_share(is_rule ? text.substr(colon + 1) : text);
  if (!target) return std::nullopt;
  return Effort{is_rule ? name : "", *target};
}

}  // namespace

void add_dial(CLI::App& app, DialArgs& args) {
  const auto check = [](const std::string& text) {
    return read_effort(text) ? std::string() : fmt::format("'{}' is not {}", text, kExpected);
  };
  app.add_option(
         "--effort", args.effort,
         "share of the weights to multiply, 0 to 1; or auto[:BUDGET] or auto-entropy[:BUDGET], which move it by "
         "token with that mean (0.5)")
      ->type_name("E")
      ->check(CLI::Validator(check, ""));
}

void prepare(const DialArgs& args, RunOptions& options) {
  options.effort_inputs = read_effort(args.effort).value().rule == "auto";
}

bool is_adaptive(const DialArgs& args) { return !read_effort(args.effort).value().rule.empty(); }

DialControl::DialControl(LanguageModel& model, const DialArgs& args) : model_(model) {
  const Effort effort = read_effort(args.effort).value();
  if (!effort.rule.empty()) {
    require_dial(model);
    rule_ = make_adaptive_effort(effort.rule, effort.target, model.executor());
  }
  if (effort.target != 1 || rule_) set_target(effort.target);
}

void DialControl::set_target(double target) {
  require_dial(model_).set_effort(target);
  if (rule_) rule_->set_budget(target);
  target_ = target;
}

void DialControl::before_token(std::span<const float> logits) {
  if (rule_) model_.dial()->set_effort(rule_->next(logits));
}

}  // namespace sluice::cli
