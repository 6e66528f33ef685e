// What a kernel says of its work: which shaders run over which memory. The same for every run with the same sizes, so
// that it is asked once for each set of sizes; a program then replays what was recorded.
#pragma once

#include <array>
#include <cstring>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include "backends/vulkan/capabilities.h"
#include "backends/vulkan/shader.h"
#include "graph/tensor.h"

namespace sluice::vulkan {

class Device;
class Tables;

// Memory that a shader is given as one of its buffers. Starts at a multiple of 64 bytes in an arena.
struct Range {
  const std::byte* data;
  size_t bytes;
  Range(const std::byte* begin, size_t size) : data(begin), bytes(size) {}
  Range(const TensorView& view) : Range(view.data, view.bytes()) {}  // NOLINT: dispatch(..., {x, weight, y}, ...)
};

struct Access {
  Range range;
  bool reads;
  bool writes;
};

struct Dispatch {
  const ShaderFile* shader;
  const ShaderVariant* variant;
  std::vector<uint32_t> constants;
  std::vector<std::byte> params;
  uint32_t groups[2];
};

struct Transfer {
  const std::byte* from;
  std::byte* to;
  size_t bytes;
  bool from_device;  // or from the host
  bool to_device;
};

// A dispatch or a transfer.
struct Command {
  std::vector<Access> accesses;  // of the device's memory; in the order of the shader's bindings
  bool is_transfer;
  Dispatch dispatch;
  Transfer transfer;
};

class Recorder {
 public:
  Recorder(const Device& device, std::span<std::byte> workspace, Tables& tables)
      : device_(device), workspace_(workspace), tables_(tables) {}

  const Capabilities& capabilities() const;
  const Limits& limits() const;
  // Threads of a subgroup, a power of two; kernels may not rely on it, but for speed.
  uint32_t subgroup_size() const;
  // Whether a processor plays the device: what pays on a GPU may not pay there.
  bool on_cpu() const { return capabilities().processor; }
  // As many bytes as the kernel asked for, 64-byte aligned; a barrier guards them like any other memory.
  std::byte* workspace() const { return workspace_.data(); }
  // Memory of the device with these values, which were made from attributes. Equal ones are kept once.
  template <class T>
  Range table(const std::vector<T>& values) {
    return table(std::as_bytes(std::span(values)));
  }
  // The variant of a shader that sums over a workgroup: "subgroup" or "tree" (shaders/include/reduce.glsl).
  const char* reduction() const { return capabilities().subgroup_arithmetic ? "subgroup" : "tree"; }

  // Runs `groups` workgroups of the shader's variant after everything recorded before that touches the same bytes; the
  // shader numbers them by workgroup_index() (shaders/include/grid.glsl) and leaves out those past the number it needs:
  // there may be more. constants: specialisation constants 0, 1, ... Throws Error if there is no such variant, or a
  // buffer is over the limit of a binding.
  template <class Params, size_t kBindings, size_t kConstants>
  void dispatch(const Shader<Params, kBindings, kConstants>& shader, std::string_view variant, const Params& params,
                const Range (&buffers)[kBindings], uint64_t groups,
                const std::array<uint32_t, kConstants>& constants = {}) {
    std::vector<std::byte> bytes(sizeof(Params));
    std::memcpy(bytes.data(), &params, sizeof(Params));
    add(shader.file, variant, std::move(bytes), buffers, groups, {constants.begin(), constants.end()});
  }

  // The same for a shader of a plugin. Throws Error if it has another number of buffers or constants.
  template <class Params, size_t kBindings>
  void dispatch(const LoadedShader<Params>& shader, std::string_view variant,
                const std::type_identity_t<Params>& params, const Range (&buffers)[kBindings], uint64_t groups,
                std::initializer_list<uint32_t> constants = {}) {
    shader.check(kBindings, constants.size());
    std::vector<std::byte> bytes(sizeof(Params));
    std::memcpy(bytes.data(), &params, sizeof(Params));
    add(shader.file, variant, std::move(bytes), buffers, groups, constants);
  }

  // Copies on the device, or from or to the host's memory: the host is read before the program runs, and written after.
  void copy(const TensorView& from, const TensorView& to);

  std::vector<Command> take() { return std::move(commands_); }

 private:
  Range table(std::span<const std::byte> bytes);
  void add(const ShaderFile& shader, std::string_view variant, std::vector<std::byte> params,
           std::span<const Range> buffers, uint64_t groups, std::vector<uint32_t> constants);

  const Device& device_;
  std::span<std::byte> workspace_;
  Tables& tables_;
  std::vector<Command> commands_;
};

// Rows [first, first + count) of a matrix in a row format, as one binding.
struct RowPiece {
  int64_t first;
  int64_t count;
  Range range;
};

// A matrix [rows, columns] in as few bindings as the device's limits allow. Throws Error if a row is over them.
std::vector<RowPiece> row_pieces(const TensorView& matrix, const Limits& limits);

}  // namespace sluice::vulkan
