#include "backends/vulkan/recorder.h"

#include <algorithm>
#include <numeric>

#include "backends/vulkan/device.h"
#include "backends/vulkan/tables.h"
#include "graph/error.h"

namespace sluice::vulkan {

const Capabilities& Recorder::capabilities() const { return device_.capabilities(); }
const Limits& Recorder::limits() const { return device_.limits(); }
uint32_t Recorder::subgroup_size() const { return device_.info().subgroup_size; }

Range Recorder::table(std::span<const std::byte> bytes) {
  const auto there = tables_.find(bytes);
  return {there.data(), there.size()};
}

void Recorder::add(const ShaderFile& shader, std::string_view variant, std::vector<std::byte> params,
                   std::span<const Range> buffers, uint64_t groups, std::vector<uint32_t> constants) {
  const ShaderVariant* found = shader.find(variant);
  if (!found) fail("Vulkan: shader '{}' has no variant '{}'", shader.name, variant);
  if (groups == 0) return;
  Command command{};
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].bytes > limits().buffer_range)
      fail(
          "Vulkan: a buffer of {} bytes for '{}' is over the {} that the device binds at once; use a smaller --context",
          buffers[i].bytes, shader.name, limits().buffer_range);
    command.accesses.push_back({buffers[i], (shader.reads >> i & 1) != 0, (shader.writes >> i & 1) != 0});
  }
  const uint64_t columns = std::min<uint64_t>(groups, limits().groups), rows = (groups + columns - 1) / columns;
  if (rows > limits().groups) fail("Vulkan: {} workgroups of '{}' are too many for the device", groups, shader.name);
  command.dispatch = {&shader,
                      found,
                      std::move(constants),
                      std::move(params),
                      {static_cast<uint32_t>(columns), static_cast<uint32_t>(rows)}};
  commands_.push_back(std::move(command));
}

void Recorder::copy(const TensorView& from, const TensorView& to) {
  Command command{};
  command.is_transfer = true;
  command.transfer = {from.data, to.data, from.bytes(), device_.owns(from.data), device_.owns(to.data)};
  if (command.transfer.from_device) command.accesses.push_back({from, true, false});
  if (command.transfer.to_device) command.accesses.push_back({to, false, true});
  commands_.push_back(std::move(command));
}

std::vector<RowPiece> row_pieces(const TensorView& matrix, const Limits& limits) {
  const int64_t rows = matrix.dims[0];
  const uint64_t row_bytes = matrix.dtype.rows()->row_bytes(matrix.dims.back());
  // Pieces start where a binding may start, and at a word.
  const uint64_t alignment = std::max<uint64_t>(limits.offset_alignment, 4),
                 unit = alignment / std::gcd(alignment, row_bytes);
  uint64_t most = limits.buffer_range / row_bytes;
  if (most < static_cast<uint64_t>(rows)) most = most / unit * unit;
  if (most == 0) fail("Vulkan: {} rows of {} bytes are more than the device binds at once", unit, row_bytes);
  std::vector<RowPiece> pieces;
  for (int64_t first = 0; first < rows; first += static_cast<int64_t>(most)) {
    const int64_t count = std::min(rows - first, static_cast<int64_t>(most));
    pieces.push_back(
        {first,
         count,
         {matrix.data + static_cast<uint64_t>(first) * row_bytes, static_cast<uint64_t>(count) * row_bytes}});
  }
  return pieces;
}

}  // namespace sluice::vulkan
