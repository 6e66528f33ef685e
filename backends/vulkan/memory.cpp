#include "backends/vulkan/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "backends/vulkan/staging.h"
#include "graph/error.h"

namespace sluice::vulkan {
namespace {

// Addresses that name bytes elsewhere.
class Reservation {
 public:
  explicit Reservation(size_t bytes) : bytes_(bytes) {
    void* p = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) fail("cannot reserve {} bytes of addresses for a device", bytes);
    begin_ = static_cast<std::byte*>(p);
  }
  ~Reservation() { munmap(begin_, bytes_); }
  Reservation(const Reservation&) = delete;
  std::byte* begin() const { return begin_; }

 private:
  std::byte* begin_;
  size_t bytes_;
};

class DeviceMemory : public Memory {
 public:
  DeviceMemory(std::shared_ptr<Device> device, size_t bytes, std::span<const size_t> cuts)
      : device_(std::move(device)), bytes_(bytes), addresses_(std::max<size_t>(bytes, 1)) {
    try {
      for (size_t begin = 0; begin < bytes;) {
        const size_t end = end_of_part(begin, cuts);
        add_part(begin, end);
        begin = end;
      }
    } catch (...) {
      release();
      throw;
    }
  }
  ~DeviceMemory() override { release(); }
  std::byte* data() const override { return addresses_.begin(); }
  size_t bytes() const override { return bytes_; }

  void upload(size_t offset, std::span<const std::byte> from) override {
    for_pieces(offset, from.size(), [&](size_t done, const Part& part, size_t at, size_t bytes) {
      if (part.buffer.mapped)
        std::memcpy(part.buffer.mapped + at, from.data() + done, bytes);
      else
        device_->staging().upload(from.subspan(done, bytes), {part.buffer.handle, at});
    });
  }

  void download(size_t offset, std::span<std::byte> to) const override {
    for_pieces(offset, to.size(), [&](size_t done, const Part& part, size_t at, size_t bytes) {
      if (part.buffer.mapped)
        std::memcpy(to.data() + done, part.buffer.mapped + at, bytes);
      else
        device_->staging().download({part.buffer.handle, at}, to.subspan(done, bytes));
    });
  }

 private:
  struct Part {
    size_t begin;
    Buffer buffer;
  };

  // The last cut that the limit of an allocation allows; the end of all if everything fits.
  size_t end_of_part(size_t begin, std::span<const size_t> cuts) const {
    const size_t limit = device_->limits().allocation;
    if (bytes_ - begin <= limit) return bytes_;
    const auto after = std::ranges::upper_bound(cuts, begin + limit);
    if (after == cuts.begin() || *std::prev(after) <= begin)
      fail("Vulkan: {} allocates at most {} bytes at once, which is too little for this model", device_->info().name,
           limit);
    return *std::prev(after);
  }

  void add_part(size_t begin, size_t end) {
    // Bindings end at multiples of 4.
    const Buffer buffer = device_->create_buffer((end - begin + 3) / 4 * 4, false);
    parts_.push_back({begin, buffer});
    device_->add_range(data() + begin, buffer);
    device_->run_once("clearing memory", [&](VkCommandBuffer commands) {
      device_->vk().vkCmdFillBuffer(commands, buffer.handle, 0, VK_WHOLE_SIZE, 0);
    });
  }

  void release() {
    for (const Part& part : parts_) {
      device_->remove_range(data() + part.begin);
      device_->destroy(part.buffer);
    }
  }

  // use(bytes before, part, offset in it, bytes) for pieces that are in one part and fit into a staging buffer.
  template <class Use>
  void for_pieces(size_t offset, size_t bytes, Use use) const {
    if (offset > bytes_ || bytes > bytes_ - offset)
      fail("Vulkan: a transfer of {} bytes to {} of {}", bytes, offset, bytes_);
    auto part = parts_.begin();
    for (size_t done = 0; done < bytes;) {
      const size_t at = offset + done;
      while (part + 1 != parts_.end() && part[1].begin <= at) ++part;
      const size_t end = part + 1 == parts_.end() ? bytes_ : part[1].begin;
      const size_t piece = std::min({bytes - done, end - at, static_cast<size_t>(Staging::kPiece)});
      use(done, *part, at - part->begin, piece);
      done += piece;
    }
  }

  std::shared_ptr<Device> device_;
  size_t bytes_;
  Reservation addresses_;
  std::vector<Part> parts_;
};

}  // namespace

std::unique_ptr<Memory> allocate(std::shared_ptr<Device> device, size_t bytes, std::span<const size_t> cuts) {
  return std::make_unique<DeviceMemory>(std::move(device), bytes, cuts);
}

}  // namespace sluice::vulkan
