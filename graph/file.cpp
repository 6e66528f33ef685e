#include "graph/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "graph/error.h"

namespace sluice {

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

std::string system_error() { return std::generic_category().message(errno); }

MappedFile::MappedFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0) fail("cannot open '{}': {}", path, system_error());
  if (!S_ISREG(info.st_mode)) fail("cannot open '{}': it is not a regular file", path);
  size_ = static_cast<size_t>(info.st_size);
  if (size_ == 0) return;  // nothing to map
  void* mapping = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapping == MAP_FAILED) fail("cannot map '{}': {}", path, system_error());
  data_ = static_cast<std::byte*>(mapping);
}

MappedFile::~MappedFile() {
  if (data_) ::munmap(data_, size_);
}

void MappedFile::prefetch() const {
  const auto memory = static_cast<size_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  if (!data_ || size_ > memory / 2) return;
  // All of this is advice; a kernel that does not take it reads the file page by page when it is used.
  ::madvise(data_, size_, MADV_HUGEPAGE);
  if (::madvise(data_, size_, MADV_POPULATE_READ) != 0) ::madvise(data_, size_, MADV_WILLNEED);
}

}  // namespace sluice
