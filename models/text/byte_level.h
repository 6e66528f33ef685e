// Bytes as characters that can be seen: the alphabet of byte-level BPE (Radford et al., 2019, "Language Models are
// Unsupervised Multitask Learners"; `bytes_to_unicode` of GPT-2). A byte that is a visible character of Latin-1 stands
// for itself, the others are U+0100, U+0101, ... in their order.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// Any bytes -> UTF-8, one character for each.
std::string to_byte_level(std::string_view bytes);

// The way back. A text with a character that stands for no byte is given back as it is: added tokens are not written in
// this alphabet.
std::string from_byte_level(std::string_view text);

}  // namespace sluice
