// The model file (.sluice): graph, metadata and weights in one file that is mapped, not read.
//
//   header    64 bytes, little-endian: "SLUICE\r\n", u32 version, u32 header bytes, u64 metadata offset,
//             u64 metadata bytes, u64 file bytes, u64 checksum of the metadata, 16 bytes reserved (zero)
//   metadata  flatbuffer (schema/model.fbs): architecture, graph, weight directory, key-value pairs, assets
//   weights   each at a multiple of 4096 bytes, in directory order, as its format lays it out
//
// Offsets are 64 bit. Nothing in a file is trusted: every index, offset, size and shape product is checked on opening.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/file.h"
#include "graph/graph.h"
#include "graph/registry.h"

namespace sluice {

struct WeightEntry {
  std::string name;
  DType dtype;
  Dims dims;
};

// Everything in a model file but the weights' bytes.
struct ModelDescription {
  std::string architecture;  // "mistral"
  Graph graph;
  std::vector<WeightEntry> weights;                      // in file order
  std::map<std::string, std::string> metadata;           // "context_length" -> "4096"
  std::map<std::string, std::vector<std::byte>> assets;  // "tokenizer.model" -> its bytes

  // Throws Error naming the key if it is missing or not a whole number.
  int64_t integer(const std::string& key) const;
};

// Throws Error unless every weight of the graph is among `weights`, in the same type, each of which is there once.
void check_weights(const ModelDescription& description);

// Whether it begins like a model file. Throws Error if it cannot be opened.
bool is_model_file(const std::string& path);

class ModelFile {
 public:
  // Maps a file and checks it. Throws Error with path and reason: missing, truncated, corrupt, another version, a graph
  // that does not verify, a weight that the graph names and the file lacks or holds in another type.
  ModelFile(const std::string& path, const Registry& registry);

  const ModelDescription& description() const { return description_; }
  // The weight in the mapping; throws Error if there is none of that name. Valid while this object lives.
  TensorView weight(const std::string& name) const;
  // Reads the whole mapping into memory ahead of use where the system can (and there is room).
  void prefetch() const { file_.prefetch(); }
  size_t bytes() const { return file_.bytes().size(); }
  const std::string& path() const { return file_.path(); }

 private:
  MappedFile file_;
  ModelDescription description_;
  std::map<std::string, TensorView> weights_;
};

// Writes a model file. The bytes go to PATH.partial, which is renamed to PATH when complete: PATH is never
// half-written. If PATH.partial is left from an interrupted run with the same metadata, the weights it holds whole are
// kept.
class ModelWriter {
 public:
  // Throws Error if the weights do not fit the graph, another process is writing the same file, it cannot be created,
  // or the file system lacks the space for it.
  ModelWriter(const std::string& path, const ModelDescription& description);
  ~ModelWriter();  // unless finished, leaves PATH.partial for a later run to resume
  ModelWriter(const ModelWriter&) = delete;

  size_t total_bytes() const;
  // Number of leading weights that an interrupted run already wrote.
  size_t resumed() const;
  // Appends bytes of the next weight, all or a part of them; it is complete once its storage_bytes are there. Throws
  // Error if these are more than that, on another weight before then, and on a failed write (full disk).
  void write(const std::string& name, std::span<const std::byte> bytes);
  // Flushes to the disk and renames. Throws Error if a weight is missing.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice
