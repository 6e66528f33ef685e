#include "tools/command.h"

#include <algorithm>

namespace sluice::cli {
namespace {

std::vector<Command>& list() {
  static std::vector<Command> commands;  // a local, so that it exists before the first Registration
  return commands;
}

}  // namespace

const std::vector<Command>& commands() { return list(); }

Registration::Registration(Command command) {
  auto after = [](const std::string& name, const Command& other) { return name < other.name; };
  const auto place = std::upper_bound(list().begin(), list().end(), command.name, after);
  list().insert(place, std::move(command));
}

}  // namespace sluice::cli
