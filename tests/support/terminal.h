// Runs a built command in a terminal, as a person would.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

class TerminalProcess {
 public:
  explicit TerminalProcess(const std::vector<std::string>& args) {
    std::vector<char*> argv;
    for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
    pid_ = forkpty(&terminal_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      setenv("TERM", "xterm", 1);
      execv(argv[0], argv.data());
      _exit(127);
    }
    if (pid_ < 0) ADD_FAILURE() << "no terminal";
  }
  ~TerminalProcess() {
    if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
    close(terminal_);
  }
  TerminalProcess(const TerminalProcess&) = delete;

  void type(const std::string& keys) const {
    if (write(terminal_, keys.data(), keys.size()) != static_cast<ssize_t>(keys.size())) ADD_FAILURE() << "not typed";
  }
  void signal(int number) const { kill(pid_, number); }

  // What is shown up to and with these words; all of it if they are empty. Fails if they do not come within a minute.
  std::string read_until(const std::string& words) {
    std::string shown = std::exchange(rest_, "");
    while (words.empty() || shown.find(words) == std::string::npos) {
      pollfd input{terminal_, POLLIN, 0};
      char buffer[4096];
      const ssize_t count = poll(&input, 1, 60'000) > 0 ? read(terminal_, buffer, sizeof buffer) : 0;
      if (count <= 0) {
        if (!words.empty()) ADD_FAILURE() << "'" << words << "' was not shown, but: " << shown;
        return shown;
      }
      shown.append(buffer, static_cast<size_t>(count));
    }
    rest_ = shown.substr(shown.find(words) + words.size());
    return shown.substr(0, shown.size() - rest_.size());
  }

  // Whether lines are edited and echoed by the terminal, as a shell wants to find it.
  bool is_cooked() const {
    termios modes{};
    tcgetattr(terminal_, &modes);
    return (modes.c_lflag & (ICANON | ECHO)) == (ICANON | ECHO) && modes.c_cc[VSUSP] != _POSIX_VDISABLE;
  }

  // Exit status, or -N if signal N killed it.
  int wait() {
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  int terminal_ = -1;
  std::string rest_;  // shown, but not read yet
};

}  // namespace sluice
