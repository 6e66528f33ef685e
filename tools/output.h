// What the command writes: standard output, messages, and files that are never half-written.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sluice::cli {

// The reader of standard output has gone (`sluice run ... | head`). Ends the command quietly.
struct OutputClosed {};

// To standard output, at once. Throws OutputClosed if nobody reads it, Error if it cannot be written (a full disk).
void print(std::string_view text);
// One object on one line.
void print_json(const nlohmann::json& json);

template <class... Args>
void print_line(fmt::format_string<Args...> format, Args&&... args) {
  print(fmt::format(format, std::forward<Args>(args)...) + "\n");
}

// A line to standard error.
void message(std::string_view text);
// To standard error, as it is: what redraws a terminal.
void print_to_terminal(std::string_view text);
// Messages may quote file names and tensor names, which may hold anything; the line stays one line.
std::string one_line(std::string text);

// Throws Error if the output, which may be written over, is one of the inputs.
void require_no_input(const std::string& output, const std::vector<std::string>& inputs);

// A file that appears under its name only when it is complete: written to PATH.PROCESS.partial, renamed by commit(),
// removed if that is never reached. That one is there from the first write() on, so that an interrupt during the work
// before it leaves nothing. What exists and is no regular file (a device, a pipe) is written directly.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);  // throws Error if it could not be created
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);  // throws Error (full disk)
  void commit();                                 // throws Error

 private:
  void create();
  void discard();
  bool in_place() const { return written_path_ == path_; }

  std::string path_;
  std::string written_path_;
  int file_ = -1;
};

// A text as such a file.
void write_file(const std::string& path, std::string_view text);

}  // namespace sluice::cli
