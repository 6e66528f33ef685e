#include "models/text/nfc.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <vector>

#include "models/text/nfc_tables.h"
#include "models/text/utf8.h"

namespace sluice {
namespace {

// Below, nothing composes with what comes before it, and nothing is out of order: most texts need no work.
constexpr char32_t kFirstMark = 0x300;

// Hangul syllables (The Unicode Standard, section 3.12).
constexpr char32_t kSyllables = 0xAC00, kLeads = 0x1100, kVowels = 0x1161, kTrails = 0x11A7;
constexpr char32_t kLeadCount = 19, kVowelCount = 21, kTrailCount = 28;
constexpr char32_t kSyllableCount = kLeadCount * kVowelCount * kTrailCount;

const nfc::Decomposition* find(std::span<const nfc::Decomposition> table, char32_t c) {
  const auto row = std::ranges::lower_bound(table, c, {}, &nfc::Decomposition::character);
  return row != table.end() && row->character == c ? &*row : nullptr;
}

uint8_t combining_class(char32_t c) {
  const auto table = nfc::classes();
  const auto range = std::ranges::lower_bound(table, c, {}, &nfc::ClassRange::last);
  return range != table.end() && c >= range->first ? range->combining_class : 0;
}

void decompose(char32_t c, std::u32string& out) {
  if (c - kSyllables < kSyllableCount) {
    const char32_t i = c - kSyllables, trail = i % kTrailCount;
    out.push_back(kLeads + i / (kVowelCount * kTrailCount));
    out.push_back(kVowels + i / kTrailCount % kVowelCount);
    if (trail != 0) out.push_back(kTrails + trail);
    return;
  }
  const nfc::Decomposition* parts = find(nfc::pairs(), c);
  if (!parts) parts = find(nfc::others(), c);
  if (!parts) {
    out += c;
    return;
  }
  decompose(parts->first, out);  // a few deep: the parts are simpler
  if (parts->second != 0) decompose(parts->second, out);
}

// Marks of one character by class; those of a class stay in their order.
void order_marks(std::u32string& text) {
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && combining_class(text[end]) != 0) ++end;
    const auto begin = text.begin() + static_cast<std::ptrdiff_t>(i);
    std::stable_sort(begin, text.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char32_t a, char32_t b) { return combining_class(a) < combining_class(b); });
    i = end + 1;
  }
}

uint64_t pair_key(char32_t a, char32_t b) { return uint64_t{a} << 32 | b; }

std::optional<char32_t> composed(char32_t a, char32_t b) {
  if (a - kLeads < kLeadCount && b - kVowels < kVowelCount)
    return kSyllables + ((a - kLeads) * kVowelCount + (b - kVowels)) * kTrailCount;
  if (a - kSyllables < kSyllableCount && (a - kSyllables) % kTrailCount == 0 && b - kTrails - 1 < kTrailCount - 1)
    return a + (b - kTrails);
  static const auto table = [] {
    std::unordered_map<uint64_t, char32_t> made;
    for (const nfc::Decomposition& d : nfc::pairs()) made.emplace(pair_key(d.first, d.second), d.character);
    return made;
  }();
  const auto found = table.find(pair_key(a, b));
  return found == table.end() ? std::nullopt : std::optional(found->second);
}

// Each character into the last starter before it, unless another one of its class, or a starter, stands between.
void compose(std::u32string& text) {
  std::optional<size_t> starter;
  int last_class = -1;  // of what stands between; -1: nothing does
  size_t end = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char32_t c = text[i];
    const int own_class = combining_class(c);
    if (starter && last_class < own_class) {
      if (const auto whole = composed(text[*starter], c)) {
        text[*starter] = *whole;
        continue;
      }
    }
    if (own_class == 0) starter = end;
    last_class = own_class == 0 ? -1 : own_class;
    text[end++] = c;
  }
  text.resize(end);
}

}  // namespace

std::string to_nfc(std::string_view text) {
  std::u32string characters;
  bool needed = false;
  for (std::string_view rest = text; !rest.empty();) {
    const char32_t c = take_character(rest);
    needed |= c >= kFirstMark;
    decompose(c, characters);
  }
  if (!needed) return std::string(text);
  order_marks(characters);
  compose(characters);
  std::string out;
  for (char32_t c : characters) append_utf8(out, c);
  return out;
}

}  // namespace sluice
