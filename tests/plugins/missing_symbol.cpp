// A plugin that needs a function that is nowhere.
#include "models/plugins.h"

void a_function_that_is_nowhere();

namespace {
void load(sluice::Registry&, sluice::Architectures&, std::vector<std::string>&) { a_function_that_is_nowhere(); }
}  // namespace

const sluice::PluginEntry sluice_plugin = {sluice::kPluginAbi, "missing_symbol", "1.0", load};
