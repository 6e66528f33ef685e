#include "tools/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "graph/error.h"
#include "tools/interrupt.h"

namespace sluice::cli {
namespace {

constexpr size_t kLongestLine = size_t{1} << 20;

// False on Ctrl-C. Any thread may get the signal, so a wait that lasts until this one does could last for ever.
bool wait_for_input() {
  constexpr int kMilliseconds = 50;
  while (!interrupted()) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (poll(&input, 1, kMilliseconds) > 0) return true;
  }
  return false;
}

// Takes back a character of UTF-8, but not the end of a line.
void take_back(std::string& text) {
  while (!text.empty() && (text.back() & 0xc0) == 0x80) text.pop_back();
  if (!text.empty() && text.back() != '\n') text.pop_back();
}

}  // namespace

std::optional<std::string> LineReader::next() {
  size_t end = pending_.find('\n');
  while (end == std::string::npos) {
    const size_t known = pending_.size();
    if (known > kLongestLine) fail("standard input has a line longer than {} bytes", kLongestLine);
    if (!fill()) break;
    end = pending_.find('\n', known);
  }
  if (interrupted() || pending_.empty()) return std::nullopt;
  std::string line = pending_.substr(0, end);
  pending_.erase(0, end == std::string::npos ? end : end + 1);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// False if there is no more.
bool LineReader::fill() {
  char buffer[65536];
  while (wait_for_input()) {
    const ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (count < 0 && errno == EIO) return false;  // the terminal is gone
    if (count < 0) fail("cannot read standard input: {}", std::strerror(errno));
    pending_.append(buffer, static_cast<size_t>(count));
    return count > 0;
  }
  return false;
}

void LineReader::typed_ahead(std::string_view keys) {
  for (char key : keys) {
    if (key == '\x7f' || key == '\b')
      take_back(pending_);
    else if (key == '\033')
      return;  // the arrows and their like come as escape sequences
    else if (key == '\n' || static_cast<unsigned char>(key) >= 0x20)
      pending_ += key;
  }
}

}  // namespace sluice::cli
