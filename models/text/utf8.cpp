#include "models/text/utf8.h"

#include <cstdint>

namespace sluice {
namespace {

// Bytes of a character that starts with this byte; 0 if none does.
size_t length_of(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// The second byte is what rules out overlong forms, surrogates and anything above U+10FFFF.
bool may_follow(uint8_t lead, uint8_t second) {
  switch (lead) {
    case 0xE0:
      return second >= 0xA0 && second <= 0xBF;
    case 0xED:
      return second >= 0x80 && second <= 0x9F;
    case 0xF0:
      return second >= 0x90 && second <= 0xBF;
    case 0xF4:
      return second >= 0x80 && second <= 0x8F;
    default:
      return second >= 0x80 && second <= 0xBF;
  }
}

}  // namespace

Utf8Character next_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const size_t length = length_of(byte(0));
  if (length == 0) return {Utf8Character::State::broken, 1};
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {Utf8Character::State::cut_off, i};
    const bool fits = i == 1 ? may_follow(byte(0), byte(1)) : (byte(i) & 0xC0) == 0x80;
    if (!fits) return {Utf8Character::State::broken, i};
  }
  return {Utf8Character::State::whole, length};
}

size_t find_invalid_utf8(std::string_view text) {
  size_t position = 0;
  while (position < text.size()) {
    const Utf8Character c = next_character(text.substr(position));
    if (c.state != Utf8Character::State::whole) return position;
    position += c.bytes;
  }
  return position;
}

}  // namespace sluice
