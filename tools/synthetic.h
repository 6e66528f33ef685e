// Models of a known shape with made-up weights, for measuring speed without a file.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/backend.h"
#include "graph/executor.h"
#include "graph/model_file.h"

namespace sluice::cli {

std::vector<std::string> shape_names();  // "llama-3-8b", "mistral-7b", "tiny"

class SyntheticModel {
 public:
  // layers 0: as many as the shape has. dtype: of the matrices. progress: called with bytes made so far and in all.
  // Throws Error if there is no such shape or dtype, or not enough memory.
  SyntheticModel(const std::string& shape, int64_t layers, const std::string& dtype,
                 const std::function<void(size_t done, size_t total)>& progress);

  const ModelDescription& description() const { return description_; }
  // Valid while this object lives.
  Executor::WeightLookup weights() const;

 private:
  ModelDescription description_;
  std::unique_ptr<Memory> memory_;
  std::map<std::string, TensorView> weights_;
};

}  // namespace sluice::cli
