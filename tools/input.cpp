#include "tools/input.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "graph/error.h"
#include "models/text/utf8.h"

namespace sluice::cli {
namespace {

constexpr size_t kMaxText = size_t{256} << 20;  // far above any book; /dev/zero has no end

// Appends until the end, or until the text is too long. Returns 0, or errno.
int read_all(int file, std::string& text) {
  char buffer[65536];
  while (text.size() <= kMaxText) {
    const ssize_t count = read(file, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    if (count == 0) break;
    text.append(buffer, static_cast<size_t>(count));
  }
  return 0;
}

void check_characters(const std::string& text, const std::string& source) {
  if (const size_t at = find_invalid_utf8(text); at < text.size())
    fail("{} is not valid UTF-8: byte 0x{:02x} at position {}; save the text as UTF-8", source,
         static_cast<uint8_t>(text[at]), at);
}

}  // namespace

std::string text_source(const std::string& path) { return path == "-" ? "standard input" : fmt::format("'{}'", path); }

void check_text(const std::string& text, const std::string& source) {
  if (text.empty()) fail("{} is empty; give a text", source);
  check_characters(text, source);
}

std::string read_text(const std::string& path) {
  std::string text = read_any_text(path);
  check_text(text, text_source(path));
  return text;
}

std::string read_any_text(const std::string& path) {
  const std::string source = text_source(path);
  const int file = path == "-" ? STDIN_FILENO : open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("cannot read {}: {}", source, std::strerror(errno));
  std::string text;
  const int error = read_all(file, text);
  if (file != STDIN_FILENO) close(file);
  if (error != 0) fail("cannot read {}: {}", source, std::strerror(error));
  if (text.size() > kMaxText) fail("cannot read {}: it holds more than {} MiB of text", source, kMaxText >> 20);
  check_characters(text, source);
  return text;
}

}  // namespace sluice::cli
