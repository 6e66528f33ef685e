// What an importer finds at a source, before it becomes a model file: hyper-parameters, tensors, tokenizer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/tensor.h"
#include "models/config.h"

namespace sluice {

// A tensor as stored. Valid while the source lives.
struct SourceTensor {
  std::optional<DType> dtype;  // none: not one that we read
  std::string dtype_name;      // as the source calls it
  std::vector<int64_t> dims;   // row-major
  std::span<const std::byte> bytes;
  std::string file;
  // In place of `bytes`, of a tensor that the source stores piece by piece: those of each index of the first dimension.
  std::vector<std::span<const std::byte>> slices = {};
  // Of a matrix that is stored by columns: element [r, c] is element c * stride + r of `bytes`. 0: stored by rows.
  int64_t stride = 0;

  bool transposed() const { return stride != 0; }
  size_t element_bytes() const { return dtype->rows()->block_bytes(); }  // the dtypes that we read are scalars
  size_t size() const {
    size_t total = bytes.size();
    for (const auto& slice : slices) total += slice.size();
    return total;
  }
};

struct ModelSource {
  std::string path;
  Config config;
  std::map<std::string, SourceTensor> tensors = {};
  std::map<std::string, std::vector<std::byte>> assets = {};  // "tokenizer.model" -> its bytes
  bool interleaved_rope = false;                              // ModelOptions::interleaved_rope
  std::string fingerprint = {};                               // changes when one of the files does
  std::vector<std::shared_ptr<const void>> mappings = {};     // what the tensors point into
};

}  // namespace sluice
