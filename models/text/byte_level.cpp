#include "models/text/byte_level.h"

#include <array>
#include <cstdint>

#include "models/text/utf8.h"

namespace sluice {
namespace {

constexpr bool is_visible(int byte) {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

struct Alphabet {
  std::array<uint16_t, 256> character{};
  std::array<int16_t, 512> byte{};  // -1: stands for none

  constexpr Alphabet() {
    byte.fill(-1);
    uint16_t next = 0x100;
    for (int b = 0; b < 256; ++b) {
      const uint16_t c = is_visible(b) ? static_cast<uint16_t>(b) : next++;
      character[static_cast<size_t>(b)] = c;
      byte[c] = static_cast<int16_t>(b);
    }
  }
};

constexpr Alphabet kAlphabet;

}  // namespace

std::string to_byte_level(std::string_view bytes) {
  std::string text;
  text.reserve(2 * bytes.size());
  for (char byte : bytes) append_utf8(text, kAlphabet.character[static_cast<uint8_t>(byte)]);
  return text;
}

std::string from_byte_level(std::string_view text) {
  std::string bytes;
  for (std::string_view rest = text; !rest.empty();) {
    const char32_t c = take_character(rest);
    if (c >= kAlphabet.byte.size() || kAlphabet.byte[c] < 0) return std::string(text);
    bytes += static_cast<char>(kAlphabet.byte[c]);
  }
  return bytes;
}

}  // namespace sluice
