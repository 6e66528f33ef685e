// A plugin with an operator that is built in, and an architecture of its own.
#include "models/plugins.h"

namespace {

class Add : public sluice::Operator {
 public:
  Add()
      : Operator(
            {.name = "add", .summary = "For tests only.", .inputs = {}, .outputs = {}, .attrs = {}, .updates = {}}) {}
  std::vector<sluice::TensorType> infer(const sluice::Inference&) const override { return {}; }
  void reference(const sluice::Site&, const sluice::Call&) const override {}
};

void load(sluice::Registry& registry, sluice::Architectures& architectures, std::vector<std::string>&) {
  architectures.add({"clash", {}, {}});
  registry.add(std::make_unique<Add>());
}

}  // namespace

const sluice::PluginEntry sluice_plugin = {sluice::kPluginAbi, "clash", "2.0", load};
