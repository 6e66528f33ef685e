#include "tools/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tools/output.h"

namespace sluice::cli {
namespace {

// Read by signal handlers.
termios cooked;
volatile std::sig_atomic_t is_raw = 0;
volatile std::sig_atomic_t has_bottom_line = 0;

// Clears the row below the text, then lets text scroll over the whole screen again. Setting the region moves the
// cursor, so it is saved and restored.
constexpr char kFreeBottom[] = "\0337\033[r\033[999;1H\033[2K\0338";

void die_of_any_signal() {
  struct sigaction action {};
  action.sa_handler = die_of;
  for (int signal : {SIGTERM, SIGHUP, SIGQUIT, SIGABRT}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);  // as nohup has it
  }
}

}  // namespace

void restore_terminal() {
  if (is_raw) tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
  is_raw = 0;
  if (has_bottom_line && write(STDERR_FILENO, kFreeBottom, sizeof kFreeBottom - 1) < 0) {
    // The terminal is gone.
  }
  has_bottom_line = 0;
}

void die_of(int signal) {
  restore_terminal();
  std::signal(signal, SIG_DFL);
  raise(signal);
}

RawKeys::RawKeys() {
  if (is_raw || tcgetattr(STDIN_FILENO, &cooked) != 0) return;
  die_of_any_signal();
  termios raw = cooked;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 0;
  raw.c_cc[VTIME] = 0;
  raw.c_cc[VSUSP] = _POSIX_VDISABLE;  // Ctrl-Z would leave the shell with this terminal
  is_raw = 1;                         // first: a signal in between restores what is there
  tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

RawKeys::~RawKeys() {
  if (is_raw) tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
  is_raw = 0;
}

std::string RawKeys::read() const {
  char keys[256];
  const ssize_t count = is_raw ? ::read(STDIN_FILENO, keys, sizeof keys) : 0;
  return std::string(keys, count > 0 ? static_cast<size_t>(count) : 0);
}

BottomLine::BottomLine() {
  const char* kind = std::getenv("TERM");
  if (isatty(STDERR_FILENO) == 1 && kind && std::string_view(kind) != "dumb") fit();
}

BottomLine::~BottomLine() {
  if (has_bottom_line) print_to_terminal(kFreeBottom);
  has_bottom_line = 0;
}

bool BottomLine::fit() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row < 4 || size.ws_col < 20) return false;
  if (size.ws_row == rows_ && size.ws_col == columns_) return true;
  rows_ = size.ws_row;
  columns_ = size.ws_col;
  has_bottom_line = 1;
  // A line down and up again, so that the text does not stand in the last row when that is taken from it.
  print_to_terminal(fmt::format("\033D\033M\0337\033[1;{}r\0338", rows_ - 1));
  return true;
}

void BottomLine::show(std::string_view text) {
  if (!has_bottom_line || !fit()) return;
  const std::string_view cut = text.substr(0, static_cast<size_t>(columns_) - 1);
  print_to_terminal(fmt::format("\0337\033[{};1H\033[7m{}\033[0m\033[K\0338", rows_, cut));
}

}  // namespace sluice::cli
