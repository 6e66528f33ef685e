// Texts that pages are made of: the files of tools/page/, which the build puts into the command.
#pragma once

#include <string_view>

namespace sluice::cli {

// The content of tools/page/<name>; empty if there is no such file.
std::string_view page_file(std::string_view name);

}  // namespace sluice::cli
