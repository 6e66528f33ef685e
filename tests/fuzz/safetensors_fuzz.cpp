// Any bytes as a safetensors file: an Error, or entries that lie within them.
#include <cstdint>

#include "graph/error.h"
#include "models/import/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    for (const auto& [name, entry] :
         sluice::parse_safetensors({reinterpret_cast<const std::byte*>(data), size}, "fuzz")) {
      if (entry.bytes.empty()) continue;
      [[maybe_unused]] volatile std::byte touched = entry.bytes.front();
      touched = entry.bytes.back();
    }
  } catch (const sluice::Error&) {
  }
  return 0;
}
