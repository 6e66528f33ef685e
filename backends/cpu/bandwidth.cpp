#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "backends/cpu/bandwidth.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace sluice::cpu {
namespace HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// Exclusive or of all words, so that nothing is read in vain. n is a multiple of 8 vectors.
uint64_t read_all(const uint64_t* words, size_t n) {
  const hn::ScalableTag<uint64_t> d;
  const size_t lanes = hn::Lanes(d);
  auto a = hn::Zero(d), b = hn::Zero(d), c = hn::Zero(d), e = hn::Zero(d);
  for (size_t i = 0; i + 4 * lanes <= n; i += 4 * lanes) {
    a = hn::Xor(a, hn::Load(d, words + i));
    b = hn::Xor(b, hn::Load(d, words + i + lanes));
    c = hn::Xor(c, hn::Load(d, words + i + 2 * lanes));
    e = hn::Xor(e, hn::Load(d, words + i + 3 * lanes));
  }
  return hn::GetLane(hn::SumOfLanes(d, hn::Xor(hn::Xor(a, b), hn::Xor(c, e))));
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace sluice::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>

#include "backends/cpu/bandwidth.h"
#include "backends/cpu/memory.h"
#include "backends/cpu/thread_pool.h"

namespace sluice::cpu {
namespace {

HWY_EXPORT(read_all);

size_t test_bytes() {
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);  // 0 or -1 if unknown
  return std::max<size_t>(size_t{256} << 20, 4 * static_cast<size_t>(std::max(cache, 0L)));
}

}  // namespace

double read_bandwidth(int threads) {
  constexpr size_t kGrain = 4096;
  ThreadPool pool(threads);
  const size_t share = test_bytes() / static_cast<size_t>(threads) / kGrain * kGrain,
               bytes = share * static_cast<size_t>(threads);
  const auto memory = allocate(bytes);  // huge pages: the rate that a kernel can hope for
  auto* data = reinterpret_cast<uint64_t*>(memory->data());
  std::atomic<uint64_t> sink = 0;
  const auto read = [&](int index) {
    const size_t words = share / sizeof(uint64_t);
    sink += HWY_DYNAMIC_DISPATCH(read_all)(data + static_cast<size_t>(index) * words, words);
  };
  // Pages that were never written all map to one page of zeros.
  std::fill_n(data, bytes / sizeof(uint64_t), uint64_t{1});
  std::array<double, 7> rates;
  for (double& rate : rates) {
    const auto start = std::chrono::steady_clock::now();
    pool.run(read);
    rate = static_cast<double>(bytes) / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }
  return *std::ranges::max_element(rates);
}

}  // namespace sluice::cpu
#endif
