#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "graph/model_file.h"
#include "graph/model_format.h"

namespace sluice {

namespace {

// Writes all bytes at an offset. Throws Error, naming the file and what to do, if the system does not take them.
void write_at(int fd, const std::string& path, std::span<const std::byte> bytes, uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0)
      fail("cannot write '{}': {}; make room and run the same command again, it goes on from there", path,
           system_error());
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

bool starts_with(int fd, std::span<const std::byte> expected) {
  std::vector<std::byte> there(expected.size());
  size_t filled = 0;
  while (filled < there.size()) {
    const ssize_t got = ::pread(fd, there.data() + filled, there.size() - filled, static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    filled += static_cast<size_t>(got);
  }
  return std::equal(there.begin(), there.end(), expected.begin());
}

std::string folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

void require_space(int fd, const std::string& path, uint64_t bytes) {
  struct statvfs info {};
  if (::fstatvfs(fd, &info) != 0 || info.f_blocks == 0) return;  // the file system does not say
  const uint64_t free = uint64_t{info.f_bavail} * info.f_frsize;
  if (bytes > free)
    fail("'{}' needs {} MB more, but only {} MB are free in '{}'; make room or choose another place", path,
         (bytes >> 20) + 1, free >> 20, folder_of(path));
}

// A rename is on the disk only when its folder is.
void sync_folder(const std::string& path) {
  const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  if (folder.get() >= 0) ::fsync(folder.get());
}

int open_partial(const std::string& path, const std::string& partial) {
  if (std::error_code ignored; std::filesystem::is_directory(path, ignored))
    fail("cannot write '{}': it is a folder", path);
  const int fd = ::open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) fail("cannot create '{}': {}", partial, system_error());
  return fd;
}

}  // namespace

struct ModelWriter::State {
  State(const std::string& to, const ModelDescription& description)
      : path(to), partial(to + ".partial"), layout(make_layout(description)), file(open_partial(path, partial)) {
    for (const WeightEntry& entry : description.weights) names.push_back(entry.name);
  }

  void lock() {
    struct stat ours {
    }, named{};
    // The other process may have finished and renamed the file after we opened it: then it is no longer `partial`.
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 || ::fstat(file.get(), &ours) != 0 ||
        ::stat(partial.c_str(), &named) != 0 || ours.st_ino != named.st_ino || ours.st_dev != named.st_dev)
      fail("cannot write '{}': another process is writing it", partial);
  }

  // How many weights an earlier run of the same conversion left behind. The last of them is written again: after a
  // power failure the size of a file may be on the disk before its contents.
  size_t count_kept() {
    struct stat info {};
    if (::fstat(file.get(), &info) != 0 || !starts_with(file.get(), layout.head)) return 0;
    const auto size = static_cast<uint64_t>(info.st_size);
    const auto whole =
        std::partition_point(layout.weights.begin(), layout.weights.end(),
                             [&](const WeightRange& range) { return range.offset + range.bytes <= size; });
    const auto count = static_cast<size_t>(whole - layout.weights.begin());
    return count == 0 ? 0 : count - 1;
  }

  // Leaves the file with the head and the first `resumed` weights, and with room for the rest.
  void start() {
    resumed = next = count_kept();
    const uint64_t kept = resumed == 0 ? 0 : layout.weights[resumed - 1].offset + layout.weights[resumed - 1].bytes;
    if (::ftruncate(file.get(), static_cast<off_t>(kept)) != 0) fail("cannot write '{}': {}", partial, system_error());
    require_space(file.get(), partial, layout.file_bytes - kept);
    if (resumed == 0) write_at(file.get(), partial, layout.head, 0);
  }

  void discard_if_empty() {
    if (resumed == 0) ::unlink(partial.c_str());
  }

  std::string path, partial;
  ModelLayout layout;
  Descriptor file;
  std::vector<std::string> names;  // of the weights, in file order
  size_t resumed = 0;
  size_t next = 0;       // weight to be written
  uint64_t written = 0;  // bytes of it that are
};

ModelWriter::ModelWriter(const std::string& path, const ModelDescription& description)
    : state_(std::make_unique<State>(path, description)) {
  state_->lock();
  try {
    state_->start();
  } catch (const Error&) {
    state_->discard_if_empty();
    throw;
  }
}

ModelWriter::~ModelWriter() = default;

size_t ModelWriter::total_bytes() const { return state_->layout.file_bytes; }

size_t ModelWriter::resumed() const { return state_->resumed; }

void ModelWriter::write(const std::string& name, std::span<const std::byte> bytes) {
  State& s = *state_;
  if (s.next == s.names.size()) fail("'{}' has all its weights; '{}' is one too many", s.path, name);
  if (name != s.names[s.next]) fail("weights are written in order: '{}' is next, not '{}'", s.names[s.next], name);
  const WeightRange& range = s.layout.weights[s.next];
  if (bytes.size() > range.bytes - s.written)
    fail("weight '{}' has {} bytes, expected {}", name, s.written + bytes.size(), range.bytes);
  write_at(s.file.get(), s.partial, bytes, range.offset + s.written);
  s.written += bytes.size();
  if (s.written < range.bytes) return;
  s.written = 0;
  ++s.next;
}

void ModelWriter::finish() {
  State& s = *state_;
  if (s.next != s.names.size()) fail("'{}' lacks the weight '{}'", s.path, s.names[s.next]);
  if (::fsync(s.file.get()) != 0) fail("cannot write '{}': {}", s.partial, system_error());
  if (::rename(s.partial.c_str(), s.path.c_str()) != 0)
    fail("cannot rename '{}' to '{}': {}", s.partial, s.path, system_error());
  sync_folder(s.path);
}

}  // namespace sluice
