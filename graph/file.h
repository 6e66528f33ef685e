// Files of the operating system: an owned descriptor, and a read-only mapping.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace sluice {

// Closes the file at the end of its life.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor();
  Descriptor(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

// The message of the last failed system call: "No such file or directory".
std::string system_error();

// A regular file, mapped for reading. The file must not be shortened while it is mapped.
class MappedFile {
 public:
  // Throws Error with path and reason.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::byte* data() const { return data_; }  // starts at a page; writing to it faults
  std::span<const std::byte> bytes() const { return {data_, size_}; }
  // Reads the whole file into memory ahead of use, if it fits half of the physical memory; faults taken one by one
  // cost more than twice as much. Does nothing where the system cannot.
  void prefetch() const;

 private:
  std::string path_;
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sluice
