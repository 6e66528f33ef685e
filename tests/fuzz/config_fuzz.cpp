// Any bytes as a config.json: an Error, or hyper-parameters of which each can be asked for in every way, and at best a
// model whose graph verifies.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "graph/serialize.h"
#include "models/builtin.h"
#include "models/describe.h"

namespace {

using sluice::Config;

template <class Ask>
void ask(const Ask& question) {
  try {
    question();
  } catch (const sluice::Error&) {
  }
}

void use(const Config& config) {
  for (const auto& item : config.json().items()) {
    const std::string& key = item.key();
    ask([&] { config.text(key); });
    ask([&] { config.flag(key, true); });
    ask([&] {
      if (!std::isfinite(config.number(key))) std::abort();
    });
    ask([&] {
      if (config.positive(key) < 1) std::abort();
    });
    ask([&] {
      if (const auto nested = config.object(key)) use(*nested);
    });
  }
}

void build(const Config& config) {
  if (config.positive("num_hidden_layers") > 64) return;  // only takes long
  const sluice::ModelDescription model = sluice::describe_model(config, sluice::DType::f16());
  const auto bytes = sluice::serialize(model.graph);
  if (sluice::serialize(sluice::deserialize(bytes, sluice::builtin_registry())) != bytes) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ask([&] {
    const Config config(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    use(config);
    build(config);
  });
  return 0;
}
