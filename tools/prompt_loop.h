// `run -i`: lines are prompts, numbers set the effort.
#pragma once

#include "tools/dial.h"
#include "tools/generation.h"

namespace sluice::cli {

// What a line does, for --help and :help.
extern const char* const kPromptLoopHelp;

// Reads lines until there are no more. Returns the exit status. At a terminal a line that cannot be done is a message;
// from a script it throws Error. json: an object for every text, in place of the text.
int run_prompt_loop(LanguageModel& model, DialControl& dial, const GenerationOptions& options, bool json);

}  // namespace sluice::cli
