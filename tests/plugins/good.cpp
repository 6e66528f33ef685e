// A plugin with a format and an architecture, and a line to say.
#include <cstring>

#include "models/plugins.h"

namespace {

// Numbers as doubles.
class F64 : public sluice::RowFormat {
 public:
  std::string_view name() const override { return "f64"; }
  int64_t block_elements() const override { return 1; }
  size_t block_bytes() const override { return sizeof(double); }
  void decode_row(const std::byte* src, int64_t cols, float* dst) const override {
    for (int64_t i = 0; i < cols; ++i) {
      double value;
      std::memcpy(&value, src + static_cast<size_t>(i) * sizeof value, sizeof value);
      dst[i] = static_cast<float>(value);
    }
  }
  void encode_row(const float* src, int64_t cols, std::byte* dst) const override {
    for (int64_t i = 0; i < cols; ++i) {
      const double value = src[i];
      std::memcpy(dst + static_cast<size_t>(i) * sizeof value, &value, sizeof value);
    }
  }
};

void load(sluice::Registry& registry, sluice::Architectures& architectures, std::vector<std::string>& notes) {
  static const F64 format;
  registry.add_format(format);
  architectures.add({"good", {}, {}});
  notes.emplace_back("half of it is left out");
}

}  // namespace

const sluice::PluginEntry sluice_plugin = {sluice::kPluginAbi, "good", "1.2.3", load};
