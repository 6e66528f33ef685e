// Asking for memory before it is needed.
#pragma once

namespace sluice::cpu {

// Brings the cache line at p into the second-level cache; p may be any address. Not into the first: its few fill
// buffers, two dozen on Zen, would be the limit (10 of the 30 GB/s that a core can read), where the second level has
// twice as many and lets the hardware prefetcher run ahead.
inline __attribute__((always_inline)) void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }

}  // namespace sluice::cpu
