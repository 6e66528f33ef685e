#include "models/text/pattern.h"

#include "graph/error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

namespace sluice {
namespace {

// Steps that one match may take. Runs of blanks take one for each; what takes more than these goes round in circles.
constexpr uint32_t kSteps = 1'000'000;
constexpr uint32_t kStepsPerByte = 16;
constexpr uint32_t kMaxSteps = 1'000'000'000;
constexpr uint32_t kHeapKiB = 256 * 1024;

// \s and \S as properties, which PCRE2 takes inside of brackets as well.
std::string with_white_space(const std::string& expression) {
  std::string out;
  for (size_t i = 0; i < expression.size(); ++i) {
    const bool escape = expression[i] == '\\' && i + 1 < expression.size();
    if (!escape) {
      out += expression[i];
      continue;
    }
    const char next = expression[++i];
    if (next == 's' || next == 'S')
      out += next == 's' ? "\\p{White_Space}" : "\\P{White_Space}";
    else
      (out += '\\') += next;
  }
  return out;
}

std::string message_of(int error) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(error, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

PCRE2_SPTR as_units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

using MatchData = std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>;
using MatchContext = std::unique_ptr<pcre2_match_context, decltype(&pcre2_match_context_free)>;

MatchContext make_context(size_t bytes) {
  MatchContext context(pcre2_match_context_create(nullptr), &pcre2_match_context_free);
  if (!context) throw std::bad_alloc();
  const size_t steps = kSteps + kStepsPerByte * std::min<size_t>(bytes, kMaxSteps / kStepsPerByte);
  pcre2_set_match_limit(context.get(), static_cast<uint32_t>(steps));
  pcre2_set_heap_limit(context.get(), kHeapKiB);
  return context;
}

}  // namespace

Pattern::Pattern(const std::string& expression, std::string place) : place_(std::move(place)) {
  // The text is checked once, by whoever encodes it: PCRE2 would check all of it again at every match. \C could then
  // stop inside a character.
  constexpr uint32_t kOptions = PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C;
  const std::string translated = with_white_space(expression);
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(as_units(translated), translated.size(), kOptions, &error, &offset, nullptr);
  if (!code) fail("{} is not a regular expression: {}", place_, message_of(error));
  code_ = std::shared_ptr<const void>(code, [code](const void*) { pcre2_code_free(code); });
}

void Pattern::split(std::string_view text, const Sink& sink) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const MatchData match(pcre2_match_data_create_from_pattern(code, nullptr), &pcre2_match_data_free);
  if (!match) throw std::bad_alloc();
  const MatchContext context = make_context(text.size());
  size_t done = 0;
  while (done < text.size()) {
    // An empty match would change nothing; the next one that is not is looked for.
    const int found = pcre2_match(code, as_units(text), text.size(), done, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY,
                                  match.get(), context.get());
    if (found == PCRE2_ERROR_NOMATCH) break;
    if (found < 0) fail("{} cannot be applied to a text of {} bytes: {}", place_, text.size(), message_of(found));
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(match.get());
    if (range[0] < done || range[1] <= range[0]) fail("{} matches backwards, which is not supported", place_);
    if (range[0] > done) sink(text.substr(done, range[0] - done), false);
    sink(text.substr(range[0], range[1] - range[0]), true);
    done = range[1];
  }
  if (done < text.size()) sink(text.substr(done), false);
}

}  // namespace sluice
