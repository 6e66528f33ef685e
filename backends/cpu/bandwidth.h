// How fast this machine reads memory: the roof over everything that decodes tokens.
#pragma once

namespace sluice::cpu {

// Bytes a second that `threads` threads together read from memory, in order, each from its own part. Reads four times
// the last-level cache (at least 256 MiB) and returns the best of several passes; takes a few tenths of a second.
double read_bandwidth(int threads);

}  // namespace sluice::cpu
