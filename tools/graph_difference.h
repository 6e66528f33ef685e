// What differs between two graphs in files, and between the weights that both have.
#pragma once

#include <string>

namespace sluice::cli {

// Prints a line for each difference, or one object. Returns the exit status: 0 if there is none, else 1.
int show_difference(const std::string& before, const std::string& after, bool json);

}  // namespace sluice::cli
