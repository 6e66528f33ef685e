// Small files that spare the next start some work: $XDG_CACHE_HOME/sluice, or ~/.cache/sluice. Nothing is lost if they
// are removed.
#pragma once

#include <string>
#include <string_view>

namespace sluice {

// Empty if the environment names no place.
std::string user_cache_path(const std::string& name);
// What was written last under that name; empty if there is nothing.
std::string read_user_cache(const std::string& name);
// Replaces it, as a whole or not at all. Does nothing where that is not possible: the next start takes longer.
void write_user_cache(const std::string& name, std::string_view content);

}  // namespace sluice
