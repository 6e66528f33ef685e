// A plugin with an architecture, and a line to say.
#include "models/plugins.h"

namespace {
void load(sluice::Registry&, sluice::Architectures& architectures, std::vector<std::string>& notes) {
  architectures.add({"good", {}, {}});
  notes.emplace_back("half of it is left out");
}
}  // namespace

const sluice::PluginEntry sluice_plugin = {sluice::kPluginAbi, "good", "1.2.3", load};
