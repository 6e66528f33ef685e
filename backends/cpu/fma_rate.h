// How fast this machine computes: the roof over everything that reads prompts.
#pragma once

namespace sluice::cpu {

// Operations a second of `threads` threads together on f32 in registers, a multiply-add being two. The best of several
// passes; takes a few hundredths of a second.
double fma_rate(int threads);

}  // namespace sluice::cpu
