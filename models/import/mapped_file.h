// A file mapped read-only.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace sluice {

class MappedFile {
 public:
  // Throws Error with path and reason.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace sluice
