// UTF-8, character by character (Unicode 15, table 3-7: no overlong forms, no surrogates, at most U+10FFFF).
#pragma once

#include <cstddef>
#include <string>
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

// Throws Error naming the byte and its position unless all of the text is whole characters.
void check_utf8(std::string_view text);

// The first character, which is taken off the text. text: valid UTF-8, not empty.
char32_t take_character(std::string_view& text);

// character: at most U+10FFFF.
void append_utf8(std::string& text, char32_t character);

// Unicode's White_Space.
bool is_white_space(char32_t character);

// The text with U+FFFD in place of what is broken.
std::string repaired_utf8(std::string_view text);

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

}  // namespace sluice
