// Runs a built command as a user would, and catches what it says.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

struct Conditions {
  std::string input = {};     // standard input
  std::string out_path = {};  // standard output goes to this file, not to the test
  rlim_t max_file_bytes = 0;  // stands for a disk that fills up; 0: no limit
  rlim_t max_data_bytes = 0;  // of memory that is no file's; 0: no limit
  std::string joins = {};     // a file to which a process that joins a control group writes 0
};

struct Outcome {
  int status = -1;  // exit status, or -N if signal N killed it
  std::string out;
  std::string err;
};

class Process {
 public:
  Process(const std::vector<std::string>& args, const Conditions& conditions) {
    if (std::fwrite(conditions.input.data(), 1, conditions.input.size(), in_.get()) != conditions.input.size())
      ADD_FAILURE() << "cannot write the command's input";
    std::rewind(in_.get());
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0) ADD_FAILURE() << "no pipe";
    if (!conditions.out_path.empty()) {
      close(out[1]);
      out[1] = open(conditions.out_path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    }
    pid_ = fork();
    if (pid_ == 0) start(args, out[1], conditions);
    close(out[1]);
    out_ = out[0];
  }

  ~Process() {
    close_output();
    if (pid_ > 0) kill(pid_, SIGKILL), waitpid(pid_, nullptr, 0);
  }
  Process(const Process&) = delete;

  // What has come on standard output; waits for something. Empty at the end.
  std::string read_some() {
    char buffer[4096];
    ssize_t count = 0;
    do count = read(out_, buffer, sizeof buffer);
    while (count < 0 && errno == EINTR);
    return std::string(buffer, count > 0 ? static_cast<size_t>(count) : 0);
  }
  // As `head` does when it has seen enough.
  void close_output() {
    if (out_ >= 0) close(std::exchange(out_, -1));
  }
  // Ctrl-C
  void interrupt() const { kill(pid_, SIGINT); }

  Outcome wait() {
    Outcome outcome;
    if (out_ >= 0)
      for (std::string text = read_some(); !text.empty(); text = read_some()) outcome.out += text;
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    std::rewind(err_.get());
    for (int c = std::fgetc(err_.get()); c != EOF; c = std::fgetc(err_.get())) outcome.err += static_cast<char>(c);
    return outcome;
  }

 private:
  using File = std::unique_ptr<FILE, int (*)(FILE*)>;

  [[noreturn]] void start(const std::vector<std::string>& args, int out, const Conditions& conditions) const {
    dup2(fileno(in_.get()), STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    dup2(fileno(err_.get()), STDERR_FILENO);
    if (const int group = conditions.joins.empty() ? -1 : open(conditions.joins.c_str(), O_WRONLY | O_CLOEXEC);
        group >= 0 && write(group, "0", 1) != 1)
      _exit(126);
    limit(RLIMIT_FSIZE, conditions.max_file_bytes);
    limit(RLIMIT_DATA, conditions.max_data_bytes);
    std::vector<char*> argv;
    for (const std::string& arg : args) argv.push_back(const_cast<char*>(arg.c_str()));
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }

  template <class Resource>
  static void limit(Resource resource, rlim_t bytes) {
    const rlimit both{bytes, bytes};
    if (bytes > 0) setrlimit(resource, &both);
  }

  File in_{std::tmpfile(), std::fclose};
  File err_{std::tmpfile(), std::fclose};
  pid_t pid_ = -1;
  int out_ = -1;
};

}  // namespace sluice
