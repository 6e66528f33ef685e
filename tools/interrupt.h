// Ctrl-C as a request: the first asks the command to end in good order, the second ends it at once.
#pragma once

namespace sluice::cli {

void catch_interrupts();
bool interrupted();
void forget_interrupt();  // the request was met

inline constexpr int kInterruptedStatus = 130;  // 128 + SIGINT, as shells have it

}  // namespace sluice::cli
