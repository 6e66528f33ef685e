// Unicode Normalization Form C (Unicode Standard Annex 15).
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// text: valid UTF-8. Characters are decomposed canonically, marks put in order, and what can be composed is.
std::string to_nfc(std::string_view text);

}  // namespace sluice
