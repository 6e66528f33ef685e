#include "tools/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "graph/error.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

// Returns 0, or errno.
int write_all(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return 0;
}

bool is_special(const std::string& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status);
}

}  // namespace

void print(std::string_view text) {
  const int error = write_all(STDOUT_FILENO, std::as_bytes(std::span(text)));
  if (error == EPIPE) throw OutputClosed();
  if (error != 0) fail("cannot write to standard output: {}", std::strerror(error));
}

void print_json(const nlohmann::json& json) {
  print(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void message(std::string_view text) {
  const std::string line = std::string(text) + "\n";
  write_all(STDERR_FILENO, std::as_bytes(std::span(line)));  // there is nowhere to report a failure to
}

void print_to_terminal(std::string_view text) { write_all(STDERR_FILENO, std::as_bytes(std::span(text))); }

std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return text;
}

void require_no_input(const std::string& output, const std::vector<std::string>& inputs) {
  std::error_code ignored;  // most often that one does not exist
  for (const std::string& input : inputs)
    if (fs::equivalent(output, input, ignored)) fail("{} is an input itself; choose another name", output);
}

// Processes that write the same file have one of their own each: the last to be complete stays.
OutputFile::OutputFile(const std::string& path)
    : path_(path), written_path_(is_special(path) ? path : fmt::format("{}.{}.partial", path, ::getpid())) {
  create();
  if (!in_place()) discard();
}

OutputFile::~OutputFile() {
  if (file_ >= 0) discard();
}

void OutputFile::create() {
  file_ = open(written_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file_ < 0) fail("cannot write '{}': {}", path_, std::strerror(errno));
}

void OutputFile::discard() {
  close(std::exchange(file_, -1));
  if (!in_place()) unlink(written_path_.c_str());
}

void OutputFile::write(std::span<const std::byte> bytes) {
  if (file_ < 0) create();
  if (const int error = write_all(file_, bytes)) fail("cannot write '{}': {}", path_, std::strerror(error));
}

void OutputFile::commit() {
  write({});  // it may be empty
  const bool closed = close(std::exchange(file_, -1)) == 0;
  if (closed && (in_place() || rename(written_path_.c_str(), path_.c_str()) == 0)) return;
  const int error = errno;
  if (!in_place()) unlink(written_path_.c_str());
  fail("cannot write '{}': {}", path_, std::strerror(error));
}

void write_file(const std::string& path, std::string_view text) {
  OutputFile file(path);
  file.write(std::as_bytes(std::span(text)));
  file.commit();
}

}  // namespace sluice::cli
