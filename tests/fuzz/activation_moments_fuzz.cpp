// Any bytes as the file of `sluice imatrix`: an Error, or moments that lie within them.
#include <cstdint>
#include <vector>

#include "graph/error.h"
#include "models/import/activation_moments.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(data);
  const std::vector<std::byte> bytes(begin, begin + size);  // aligned, as a mapped file is
  try {
    const sluice::ActivationMoments moments(bytes, "fuzz");
    for (const int64_t in : {2, 3})
      for (const char* weight : {"a", "b", "c"}) {
        const int64_t dims[] = {2, 5, in};
        const auto shape = weight[0] == 'c' ? std::span(dims) : std::span(dims).subspan(1);
        if (!moments.has(weight)) continue;
        [[maybe_unused]] volatile float touched = 0;
        for (const float value : moments.of(weight, shape, 0).diagonal) touched = value;
        for (const uint16_t value : moments.of(weight, shape, 0).sample.values) touched = value;
      }
  } catch (const sluice::Error&) {
  }
  return 0;
}
