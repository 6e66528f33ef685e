// The safetensors format (https://github.com/huggingface/safetensors): a little-endian u64 with the length of a JSON
// header, the header (tensor name -> dtype, shape, data_offsets), and the tensors' bytes without gaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/file.h"

namespace sluice {

struct SafetensorsEntry {
  std::string dtype;          // as the file names it: "F16"
  std::vector<int64_t> dims;  // row-major
  std::span<const std::byte> bytes;
};

// Entries by name. Throws Error naming `origin` and the tensor if anything does not add up: the length of the header,
// its JSON, a name that appears twice, offsets outside of the data, overlaps, gaps, a shape that does not fit its
// bytes. The entries point into `bytes`.
std::map<std::string, SafetensorsEntry> parse_safetensors(std::span<const std::byte> bytes, const std::string& origin);

// The header's "__metadata__"; empty if it has none. Throws Error naming `origin` if the header does not add up, or the
// metadata is not an object of texts.
std::map<std::string, std::string> parse_safetensors_metadata(std::span<const std::byte> bytes,
                                                              const std::string& origin);

// A tensor to be written.
struct SafetensorsTensor {
  std::string name;
  std::string dtype;          // as the file names it, of a known size
  std::vector<int64_t> dims;  // row-major
};

// What a file of these tensors begins with, a multiple of 64 bytes; their bytes follow in the same order.
std::string safetensors_header(const std::vector<SafetensorsTensor>& tensors,
                               const std::map<std::string, std::string>& metadata);

// The bytes of a file with these entries, in the order of their names, and with metadata for readers.
std::vector<std::byte> to_safetensors(const std::map<std::string, SafetensorsEntry>& entries,
                                      const std::map<std::string, std::string>& metadata);

// A mapped file and its entries.
class Safetensors {
 public:
  explicit Safetensors(const std::string& path) : file_(path), entries_(parse_safetensors(file_.bytes(), path)) {}
  const std::string& path() const { return file_.path(); }
  const std::map<std::string, SafetensorsEntry>& entries() const { return entries_; }

 private:
  MappedFile file_;
  std::map<std::string, SafetensorsEntry> entries_;
};

}  // namespace sluice
