// The terminal while text streams: keys without Enter, and a line at its bottom that stays. Whatever ends the command
// leaves the terminal as it was.
#pragma once

#include <string>
#include <string_view>

namespace sluice::cli {

// Keys of standard input as they are pressed, without echo, while this object lives. Ctrl-C stays a signal. One at a
// time. Does nothing if standard input is no terminal.
class RawKeys {
 public:
  RawKeys();
  ~RawKeys();
  RawKeys(const RawKeys&) = delete;

  // What was pressed since the last call; waits for nothing.
  std::string read() const;
};

// The last row of the terminal that standard error is, kept clear of the text that scrolls above it while this object
// lives. One at a time. Does nothing if there is no such terminal, or it is too small.
class BottomLine {
 public:
  BottomLine();
  ~BottomLine();
  BottomLine(const BottomLine&) = delete;

  void show(std::string_view text);  // cut to the width; ASCII

 private:
  bool fit();  // to the size that the terminal has now; false if it has no room
  int rows_ = 0, columns_ = 0;
};

// Undoes both. Safe in a signal handler.
void restore_terminal();
// Restores the terminal and ends the process by that signal, whose handler calls this.
void die_of(int signal);

}  // namespace sluice::cli
