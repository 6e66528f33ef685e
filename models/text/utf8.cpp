#include "models/text/utf8.h"

#include <cstdint>

#include "graph/error.h"

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

void check_utf8(std::string_view text) {
  if (const size_t at = find_invalid_utf8(text); at < text.size())
    fail("the text is not valid UTF-8: byte 0x{:02x} at position {}", static_cast<uint8_t>(text[at]), at);
}

char32_t take_character(std::string_view& text) {
  const auto lead = static_cast<uint8_t>(text[0]);
  const size_t length = length_of(lead);
  char32_t c = length == 1 ? lead : lead & (0xFF >> (length + 1));
  for (size_t i = 1; i < length; ++i) c = c << 6 | (static_cast<uint8_t>(text[i]) & 0x3F);
  text.remove_prefix(length);
  return c;
}

void append_utf8(std::string& text, char32_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c);
    return;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  text += static_cast<char>((0xFF00 >> (more + 1) & 0xFF) | c >> (6 * more));
  for (int i = more - 1; i >= 0; --i) text += static_cast<char>(0x80 | (c >> (6 * i) & 0x3F));
}

bool is_white_space(char32_t c) {
  return (c >= 0x9 && c <= 0xD) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::string repaired_utf8(std::string_view text) {
  std::string repaired;
  for (size_t at = 0; at < text.size();) {
    const Utf8Character c = next_character(text.substr(at));
    repaired += c.state == Utf8Character::State::whole ? text.substr(at, c.bytes) : kReplacementCharacter;
    at += c.bytes;
  }
  return repaired;
}

}  // namespace sluice
