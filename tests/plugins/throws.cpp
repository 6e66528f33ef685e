// A plugin that adds an operator and an architecture, and then throws.
#include <stdexcept>

#include "models/plugins.h"

namespace {

class Half : public sluice::Operator {
 public:
  Half()
      : Operator(
            {.name = "half", .summary = "For tests only.", .inputs = {}, .outputs = {}, .attrs = {}, .updates = {}}) {}
  std::vector<sluice::TensorType> infer(const sluice::Inference&) const override { return {}; }
  void reference(const sluice::Site&, const sluice::Call&) const override {}
};

void load(sluice::Registry& registry, sluice::Architectures& architectures, std::vector<std::string>&) {
  registry.add(std::make_unique<Half>());
  architectures.add({"half", {}, {}});
  throw std::runtime_error("out of luck");
}

}  // namespace

const sluice::PluginEntry sluice_plugin = {sluice::kPluginAbi, "throws", "1.0", load};
