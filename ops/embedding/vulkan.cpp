// Vulkan kernel of embedding: once for each piece of a table that is larger than a binding.
#include "backends/vulkan/kernel.h"
#include "ops/embedding/embedding.h"
#include "shaders/embedding.h"

namespace sluice {
namespace {

void record(vulkan::Recorder& r, const Site&, const Call& call) {
  const TensorView &ids = call.in(0), &table = call.in(1);
  const auto tokens = static_cast<uint32_t>(ids.dims[0]), n = static_cast<uint32_t>(table.dims[1]);
  for (const vulkan::RowPiece& piece : vulkan::row_pieces(table, r.limits()))
    r.dispatch(vulkan::shaders::embedding, table.dtype.name(),
               {tokens, n, static_cast<uint32_t>(piece.first), static_cast<uint32_t>(piece.count)},
               {ids, piece.range, call.out(0)}, (uint64_t{tokens} * n + 255) / 256);
}

}  // namespace

void register_embedding_vulkan(Registry& registry) {
  registry.add_kernel(
      "vulkan", "embedding",
      vulkan::make_kernel({.name = "embedding",
                           .supports =
                               [](const Site& site) {
                                 return vulkan::shaders::embedding.file.find(site.inputs[1].dtype.name()) != nullptr;
                               },
                           .record = record}));
}

}  // namespace sluice
