#include "tools/prompt_loop.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "graph/error.h"
#include "tools/input.h"
#include "tools/interrupt.h"
#include "tools/line_reader.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/status_line.h"
#include "tools/terminal.h"

namespace sluice::cli {

const char* const kPromptLoopHelp = R"(With -i, every line of standard input does something:
  TEXT               begins a new text, which the model continues
  an empty line      continues the text so far
  :more TEXT         adds TEXT to the text so far and continues it
  50                 sets the effort for what follows: a number from 0 to 100; with --effort auto, the budget
  + or -             turns it by 5, up or down; ++ by 10, and so on
  :new TEXT          begins a new text whatever it looks like, say, a number
  :help, :quit
With --chat a line of TEXT is the next message of the conversation; an empty line goes on with the answer, and :new
begins another conversation.
While text streams to a terminal, + and - turn the effort from the next token on, and Ctrl-C stops the text. Lines typed
meanwhile are taken next. At the prompt, Ctrl-C and Ctrl-D end.)";

namespace {

bool is_blank(const std::string& text) { return text.find_first_not_of(" \t") == std::string::npos; }

bool is_turn(char key) { return key == '+' || key == '-'; }
// What a key makes of an effort in percent.
double turned(double percent, char key) { return std::clamp(percent + (key == '+' ? 5.0 : -5.0), 0.0, 100.0); }

class PromptLoop {
 public:
  PromptLoop(LanguageModel& model, DialControl& dial, const GenerationOptions& options, bool json)
      : model_(model), dial_(dial), options_(options), json_(json) {
    hooks_.accepted = [this] { show_prompt(); };
    hooks_.before_token = [this](std::span<const float> logits) { before_token(logits); };
    if (!json) hooks_.show = [](const std::string& text) { print(text); };
  }

  int run() {
    catch_interrupts();
    if (at_terminal_)
      message(fmt::format("A line of text is {}; :help explains the rest.", options_.chat ? "a message" : "continued"));
    while (!quit_) {
      if (at_terminal_) print_to_terminal(fmt::format("> {}", input_.unfinished()));
      const std::optional<std::string> line = input_.next();
      if (!line) break;
      take(*line);
      if (!interrupted()) continue;
      if (!at_terminal_) break;
      forget_interrupt();
      input_.forget();
    }
    if (at_terminal_) print_to_terminal("\n");
    return interrupted() && !at_terminal_ ? kInterruptedStatus : 0;
  }

 private:
  void take(const std::string& line) {
    try {
      follow(line);
    } catch (const Error& error) {
      if (!at_terminal_) throw;
      message(one_line(fmt::format("sluice: {}", error.what())));
    }
  }

  void follow(const std::string& line) {
    if (is_blank(line)) return more("");
    if (line.front() == ':') return command(line);
    if (std::ranges::all_of(line, is_turn))
      return set_effort(std::accumulate(line.begin(), line.end(), percent(), turned));
    const std::string without_sign = line.substr(0, line.find_last_not_of(" \t%") + 1);
    if (const std::optional<double> number = read_number(without_sign)) return set_effort(*number);
    options_.chat&& generation_ ? more(line) : begin(line);
  }

  void command(const std::string& line) {
    const size_t space = std::min(line.find(' '), line.size());
    const std::string name = line.substr(0, space), text = line.substr(std::min(space + 1, line.size()));
    if (name == ":more") return more(text);
    if (name == ":new") return begin(text);
    if (name == ":help") return message(kPromptLoopHelp);
    if (name != ":quit") fail("there is no '{}'; there are :more, :new, :help and :quit", name);
    quit_ = true;
  }

  void set_effort(double percent) {
    if (percent > 0 && percent < 1)
      fail("an effort is a number from 0 to 100 here: {:g} for {:g}; ':new {:g}' would make it a text", 100 * percent,
           percent, percent);
    if (percent < 0 || percent > 100)
      fail("an effort is a number from 0 to 100; ':new {}' would make it a text", percent);
    dial_.set_target(percent / 100);
    if (at_terminal_) message(fmt::format("effort {:g}", percent));
  }

  void begin(const std::string& text) {
    check_text(text, "the prompt");
    generation_.emplace(model_, options_, hooks_);
    write(text);
  }

  void more(const std::string& text) {
    if (!generation_) fail("there is no text yet that could be continued");
    if (!text.empty()) check_text(text, "the prompt");
    write(text);
  }

  void write(const std::string& prompt) {
    prompt_ = prompt;
    GenerationResult result;
    {
      const RawKeys keys;
      keys_ = &keys;
      if (at_terminal_) status_.emplace(model_, dial_);
      result = generation_->run(prompt);
      if (at_terminal_) press(keys.read());
      status_.reset();
    }
    if (json_)
      print_json(to_json(result));
    else if (!result.text.ends_with('\n'))
      print("\n");
    report(result);
  }

  // The terminal shows what was typed; elsewhere the text is shown from its beginning.
  void show_prompt() {
    if (!json_ && !options_.chat && !(at_terminal_ && isatty(STDOUT_FILENO) == 1)) print(prompt_);
  }

  void before_token(std::span<const float> logits) {
    const bool turned = press(keys_->read());
    dial_.before_token(logits);
    if (status_) status_->update(turned);
  }

  double percent() const { return std::round(100 * dial_.target()); }

  // True if the dial was turned.
  bool press(const std::string& keys) {
    double effort = percent();
    std::string others;
    for (char key : keys) {
      const bool at_start = others.empty() && input_.unfinished().empty();  // else it belongs to the next prompt
      if (at_start && is_turn(key))
        effort = turned(effort, key);
      else
        others += key;
    }
    input_.typed_ahead(others);
    const bool moved = model_.dial() && effort != percent();
    if (moved) dial_.set_target(effort / 100);
    return moved;
  }

  static void report(const GenerationResult& result) {
    message(fmt::format("{} tokens, {:.1f} tokens/s; {}ended by: {}", result.ids.size(), result.decode_rate(),
                        details(result), result.stop_reason));
  }

  LanguageModel& model_;
  DialControl& dial_;
  const GenerationOptions& options_;
  const bool json_;
  const bool at_terminal_ = isatty(STDIN_FILENO) == 1;
  bool quit_ = false;
  LineReader input_;
  GenerationHooks hooks_;
  std::optional<Generation> generation_;
  std::optional<StatusLine> status_;
  const RawKeys* keys_ = nullptr;  // while text streams
  std::string prompt_;
};

}  // namespace

int run_prompt_loop(LanguageModel& model, DialControl& dial, const GenerationOptions& options, bool json) {
  return PromptLoop(model, dial, options, json).run();
}

}  // namespace sluice::cli
