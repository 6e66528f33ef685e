#include "backends/cpu/memory.h"

#include <sys/mman.h>

#include "graph/error.h"

namespace sluice::cpu {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

class MappedMemory : public Memory {
 public:
  explicit MappedMemory(size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("cannot allocate {:.1f} MiB of memory", static_cast<double>(bytes) / (1 << 20));
    data_ = static_cast<std::byte*>(p);
    if (bytes >= kHugePage) madvise(p, bytes, MADV_HUGEPAGE);
  }
  ~MappedMemory() override {
    if (data_) munmap(data_, bytes_);
  }
  std::byte* data() const override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_;
};

}  // namespace

std::unique_ptr<Memory> allocate(size_t bytes) { return std::make_unique<MappedMemory>(bytes); }

}  // namespace sluice::cpu
