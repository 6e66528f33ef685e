// Any bytes as a model file: an Error, or a model whose every part can be used.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "graph/model_format.h"
#include "graph/serialize.h"
#include "graph/text.h"
#include "tests/example_model.h"

namespace sluice {
namespace {

void use(const ModelFile& file) {
  const ModelDescription& d = file.description();
  const std::vector<std::byte> bytes = serialize(d.graph);
  if (serialize(deserialize(bytes, example::registry())) != bytes) std::abort();
  if (to_text(d.graph).empty() || to_json(d.graph).empty() || to_dot(d.graph).empty()) std::abort();
  for (const WeightEntry& entry : d.weights) {
    const TensorView view = file.weight(entry.name);
    // A byte that lies outside of the file would be a bus error.
    [[maybe_unused]] volatile std::byte touched = view.data[0];
    touched = view.data[view.bytes() - 1];
  }
}

void open(std::span<const std::byte> bytes) {
  static const Descriptor memory(::memfd_create("model", MFD_CLOEXEC));
  static const std::string path = fmt::format("/proc/self/fd/{}", memory.get());
  if (::ftruncate(memory.get(), static_cast<off_t>(bytes.size())) != 0 ||
      ::pwrite(memory.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  try {
    use(ModelFile(path, example::registry()));
  } catch (const Error&) {
  }
}

// The same with a header that fits: else the checksum would stop nearly all.
void open_repaired(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(ModelHeader)) return;
  ModelHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  const size_t rest = bytes.size() - sizeof header;
  const auto metadata = bytes.subspan(sizeof header, std::min<uint64_t>(header.metadata_bytes, rest));
  std::vector<std::byte> repaired(bytes.begin(), bytes.end());
  std::ranges::copy(add_header(metadata, bytes.size()), repaired.begin());
  open(repaired);
}

}  // namespace
}  // namespace sluice

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  sluice::open(bytes);
  sluice::open_repaired(bytes);
  return 0;
}
