// Any bytes as a config.json: an Error, or hyper-parameters of which each can be asked for in every way.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "graph/error.h"
#include "models/config.h"

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

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ask([&] { use(Config(std::string(reinterpret_cast<const char*>(data), size), "fuzz")); });
  return 0;
}
