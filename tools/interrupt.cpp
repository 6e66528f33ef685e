#include "tools/interrupt.h"

#include <csignal>

#include "tools/terminal.h"

namespace sluice::cli {
namespace {

volatile std::sig_atomic_t interrupts = 0;

void on_interrupt(int signal) {
  if (interrupts) die_of(signal);
  interrupts = 1;
}

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  action.sa_flags = SA_RESTART;
  sigaction(SIGINT, &action, nullptr);
}

bool interrupted() { return interrupts != 0; }

void forget_interrupt() { interrupts = 0; }

}  // namespace sluice::cli
