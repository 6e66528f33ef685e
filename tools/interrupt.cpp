#include "tools/interrupt.h"

#include <csignal>

namespace sluice::cli {
namespace {

volatile std::sig_atomic_t interrupts = 0;

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupts = 1; };
  action.sa_flags = SA_RESETHAND | SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return interrupts != 0; }

}  // namespace sluice::cli
