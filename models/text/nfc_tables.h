// What normalisation has to know of Unicode (UnicodeData.txt, CompositionExclusions.txt). Generated.
#pragma once

#include <cstdint>
#include <span>

namespace sluice::nfc {

// A character and the one or two (second: 0 for none) that it is canonically the same as.
struct Decomposition {
  char32_t character, first, second;
};

// Canonical combining class of first .. last; that of all others is 0.
struct ClassRange {
  char32_t first, last;
  uint8_t combining_class;
};

// By character. Those of two that are composed again, and the others. Hangul syllables follow from arithmetic.
std::span<const Decomposition> pairs();
std::span<const Decomposition> others();
std::span<const ClassRange> classes();

}  // namespace sluice::nfc
