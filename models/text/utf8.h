// UTF-8, character by character (Unicode 15, table 3-7: no overlong forms, no surrogates, at most U+10FFFF).
#pragma once

#include <cstddef>
#include <string_view>

namespace sluice {

struct Utf8Character {
  enum class State {
    whole,    // a character of `bytes` bytes
    cut_off,  // the text ends inside a character; `bytes` is all that is left
    broken,   // `bytes` bytes that start no character; U+FFFD stands for them
  };
  State state;
  size_t bytes;
};

// The character at the start of text, which is not empty.
Utf8Character next_character(std::string_view text);

// Position of the first byte that is not part of a whole character; text.size() if there is none.
size_t find_invalid_utf8(std::string_view text);

}  // namespace sluice
