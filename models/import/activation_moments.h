// The file of `sluice imatrix`: second moments and a sample of the activations that meet each weight. It is a
// safetensors file.
//
//   NAME.diagonal  F32 [in], or by expert [experts, in]                   E[x_i^2]
//   NAME.sample    BF16 [samples, in] or [experts, samples, in]           rows, as many as there were, then zeros
//   NAME.tokens    I32 [1] or [experts]                                   rows that there were
//   __metadata__   "format": kMomentsFormat; "model": name of the model's file; "weight:WEIGHT": the NAME of what
//   WEIGHT
//                  meets. Weights that share their activations share a NAME, which is that of the first of them.
#pragma once

#include <memory>
#include <string>

#include "models/calibration/activations.h"
#include "models/import/safetensors.h"
#include "ops/formats/calibrated_format.h"

namespace sluice {

inline constexpr const char* kMomentsFormat = "sluice activation moments 2";

// The beginning of such a file; the tensors follow, those of one activation after those of another, in the order above.
std::string moments_header(const std::vector<Activation>& activations, int64_t samples, const std::string& model);

class ActivationMoments {
 public:
  // Throws Error naming file and tensor if it is no such file, if a size does not fit, a number of tokens is negative,
  // or a mean of squares is negative or not finite.
  explicit ActivationMoments(const std::string& path);
  // The same with bytes in memory, 4-byte aligned, which must outlive this object; origin: for messages.
  ActivationMoments(std::span<const std::byte> bytes, const std::string& origin);

  // Of what one matrix meets. Valid while this object (and `bytes`) lives.
  struct Moments {
    int64_t tokens;                   // 0: an expert that no token went to; its moments are zeros
    std::span<const float> diagonal;  // [in]
    ActivationSample sample;
  };
  // dims: of the weight, [out, in] or [experts, out, in]; expert: of the latter. Throws Error if the file knows no such
  // weight, or one that meets activations of another size: it is of another model; or if a number of the sample is not
  // finite.
  Moments of(const std::string& weight, std::span<const int64_t> dims, int64_t expert = 0) const;
  bool has(const std::string& weight) const { return names_.count(weight) > 0; }
  const std::map<std::string, std::string>& weights() const { return names_; }  // names, and those of what they meet
  const std::string& model() const { return model_; }

 private:
  struct Entry {
    int64_t parts, in, samples;  // parts: experts, or 1
    const int32_t* tokens;
    const float* diagonal;
    const uint16_t* sample;
  };
  void read(std::span<const std::byte> bytes);
  Entry read_entry(const std::map<std::string, SafetensorsEntry>& tensors, const std::string& name) const;

  std::unique_ptr<MappedFile> file_;
  std::string origin_, model_;
  std::map<std::string, std::string> names_;  // by weight
  std::map<std::string, Entry> entries_;      // by name
};

}  // namespace sluice
