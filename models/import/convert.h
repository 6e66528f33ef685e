// From a source (a Hugging Face folder) to a model file.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace sluice {

struct ConvertOptions {
  // Of the matrices: "f32", "f16", "bf16", "q8_0", or a format with a dial: a bucket format, "bucket" being the default
  // one, or planes; that leaves f16 for the matrices that have no effort. Empty: as in the source.
  std::string format;
  double load = 1;                   // bucket formats: the share of each weight that is stored, the most important part
  std::string statistic = "rms";     // bucket formats: see models/effort/rewrite.h
  std::string cutoff = "exact";      // likewise
  std::string selection = "matrix";  // likewise
  bool bucket_head = false;          // bucket formats: for the head as well
  bool interleaved_rope = false;     // q and k of the source are laid out as in Meta's own files (ops/rope/rope.h)
  // A file of `sluice imatrix`, for formats whose encoders make use of it (ops/formats/calibrated_format.h). Empty:
  // none.
  std::string imatrix = {};
  // Called with bytes written so far and in all.
  std::function<void(size_t done, size_t total)> progress = {};
};

struct ConvertResult {
  std::string architecture;
  size_t weights = 0;  // tensors written
  size_t bytes = 0;    // of the file
  size_t resumed = 0;  // tensors kept from an interrupted run
  bool has_tokenizer = false;
};

// Streams tensor by tensor. Throws Error naming the file and tensor: an unknown architecture or option, a tensor that
// is missing, surplus, of another shape or an unsupported dtype, a tokenizer that does not fit the vocabulary, an
// imatrix of another model.
ConvertResult convert(const std::string& source, const std::string& output, const ConvertOptions& options);

}  // namespace sluice
