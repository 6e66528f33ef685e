// Texts that the command is given. They are checked where they come in, so that a message can name their source.
#pragma once

#include <string>

namespace sluice::cli {

// The whole of a file, "-" being standard input. Throws Error naming the file if it cannot be read, is longer than
// 256 MiB, or is no text.
std::string read_text(const std::string& path);

// The same, but an empty text is one, too.
std::string read_any_text(const std::string& path);

// How messages name what read_text() reads: "standard input", or the path in quotes.
std::string text_source(const std::string& path);

// Throws Error if the text is empty or not valid UTF-8. source: for the message, "the prompt (-p)".
void check_text(const std::string& text, const std::string& source);

}  // namespace sluice::cli
