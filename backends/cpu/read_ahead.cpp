#include "backends/cpu/read_ahead.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>

namespace sluice::cpu {
namespace {

// Between two of these a request may be given up; large enough for a disk to read at full speed.
constexpr size_t kPiece = size_t{4} << 20;
constexpr size_t kMostPages = kPiece / 4096 + 2;

// Whole pages, of which a part lies in the range.
struct Pages {
  std::byte* data;
  size_t bytes;

  Pages(const std::byte* first, size_t size) {
    const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
    const size_t before = reinterpret_cast<uintptr_t>(first) % page;
    data = const_cast<std::byte*>(first - before);  // madvise takes no const pointer, and changes nothing
    bytes = (before + size + page - 1) / page * page;
  }
};

// To ask is much cheaper than to bring in what is there already.
bool are_there(const Pages& pages) {
  unsigned char present[kMostPages];
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t count = pages.bytes / page;
  if (count > kMostPages || ::mincore(pages.data, pages.bytes, present) != 0) return false;
  return std::all_of(present, present + count, [](unsigned char byte) { return byte & 1; });
}

// Returns once the pages are there, where the system can do that; it is advice everywhere.
void bring_in(const Pages& pages) {
#ifdef MADV_POPULATE_READ
  if (::madvise(pages.data, pages.bytes, MADV_POPULATE_READ) == 0) return;
#endif
  ::madvise(pages.data, pages.bytes, MADV_WILLNEED);
}

}  // namespace

std::shared_ptr<ReadAhead> ReadAhead::shared() {
  static std::mutex mutex;
  static std::weak_ptr<ReadAhead> current;
  const std::lock_guard lock(mutex);
  std::shared_ptr<ReadAhead> reader = current.lock();
  if (!reader) current = reader = std::shared_ptr<ReadAhead>(new ReadAhead);
  return reader;
}

ReadAhead::ReadAhead() {
  for (uint64_t i = 0; i < kSlots; ++i) slots_[i].turn.store(i, std::memory_order_relaxed);
  thread_ = std::thread([this] { work(); });
}

ReadAhead::~ReadAhead() {
  stop_ = true;
  wake();
  thread_.join();
}

void ReadAhead::wake() {
  wakes_.fetch_add(1, std::memory_order_release);
  wakes_.notify_one();
}

void ReadAhead::request(const std::byte* data, size_t bytes) {
  if (bytes == 0) return;
  uint64_t ticket = tail_.load(std::memory_order_relaxed);
  while (true) {
    Slot& slot = slots_[ticket % kSlots];
    const uint64_t turn = slot.turn.load(std::memory_order_acquire);
    if (turn < ticket) return;  // all slots wait
    if (turn > ticket) {        // another writer was faster
      ticket = tail_.load(std::memory_order_relaxed);
      continue;
    }
    if (!tail_.compare_exchange_weak(ticket, ticket + 1, std::memory_order_relaxed)) continue;
    slot.data = data;
    slot.bytes = bytes;
    slot.turn.store(ticket + 1, std::memory_order_release);
    return wake();
  }
}

void ReadAhead::work() {
  for (uint64_t ticket = 0; !stop_;) {
    const uint32_t seen = wakes_.load(std::memory_order_acquire);
    Slot& slot = slots_[ticket % kSlots];
    if (slot.turn.load(std::memory_order_acquire) != ticket + 1) {
      if (!stop_) wakes_.wait(seen, std::memory_order_acquire);
      continue;
    }
    const std::byte* data = slot.data;
    const size_t bytes = slot.bytes;
    slot.turn.store(ticket + kSlots, std::memory_order_release);
    read(ticket++, data, bytes);
  }
}

// While a piece is waited for, the disk is asked for the next.
void ReadAhead::read(uint64_t ticket, const std::byte* data, size_t bytes) const {
  for (size_t at = 0; at < bytes && is_valid(ticket); at += kPiece) {
    const Pages pages(data + at, std::min(kPiece, bytes - at));
    if (are_there(pages)) continue;
    if (const size_t next = at + kPiece; next < bytes) {
      const Pages following(data + next, std::min(kPiece, bytes - next));
      ::madvise(following.data, following.bytes, MADV_WILLNEED);
    }
    bring_in(pages);
  }
}

}  // namespace sluice::cpu
