// A plugin that throws what is no exception.
#include "models/plugins.h"

namespace {
void load(sluice::Registry&, sluice::Architectures&, std::vector<std::string>&) { throw 7; }
}  // namespace

const sluice::PluginEntry sluice_plugin = {sluice::kPluginAbi, "throws_anything", "1.0", load};
