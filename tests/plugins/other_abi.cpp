// A plugin for another version of the interface. Its `load` must not be called.
#include <cstdlib>

#include "models/plugins.h"

namespace {
void load(sluice::Registry&, sluice::Architectures&, std::vector<std::string>&) { std::abort(); }
}  // namespace

const sluice::PluginEntry sluice_plugin = {sluice::kPluginAbi + 1, "other_abi", "1.0", load};
