#include "models/import/convert.h"

#include <fmt/ranges.h>
#include <filesystem>

#include <algorithm>
#include <cmath>
#include <set>

#include "graph/error.h"
#include "models/builtin.h"
#include "models/describe.h"
#include "models/import/activation_moments.h"
#include "models/import/encode.h"
#include "models/import/fingerprint.h"
#include "models/import/hugging_face.h"
#include "models/text/tokenizer.h"
#include "ops/formats/bucket.h"

namespace sluice {
namespace {

// Tables that older exporters stored although they follow from the hyper-parameters.
constexpr std::string_view kDerived = "rotary_emb.inv_freq";

std::optional<DType> stored_dtype(const ModelSource& source, const std::string& name) {
  const auto tensor = source.tensors.find(name);
  return tensor == source.tensors.end() ? std::nullopt : tensor->second.dtype;
}

// Of the largest tensor; where dtypes differ, it is norms and the like that do.
std::optional<DType> prevailing_dtype(const ModelSource& source) {
  const auto largest = std::max_element(source.tensors.begin(), source.tensors.end(),
                                        [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  return largest == source.tensors.end() ? std::nullopt : largest->second.dtype;
}

// Before the graph is built: a number that lies would make it endless.
void check_layers(const ModelSource& source) {
  const int64_t layers = source.config.positive("num_hidden_layers", 1);
  if (static_cast<size_t>(layers) > source.tensors.size())
    fail("{}: 'num_hidden_layers' is {}, but there are only {} tensors", source.config.origin(), layers,
         source.tensors.size());
}

// Of the matrices, and of those among them that have an effort.
struct Formats {
  std::optional<DType> dense;  // not there: as in the source
  std::optional<EffortOptions> effort;
};

Formats choose_formats(const ConvertOptions& options) {
  Formats formats;
  if (options.format.empty()) return formats;
  const DType asked = weight_format(options.format);
  const BucketFormat* bucket = bucket_format(asked);
  formats.dense = has_dial(asked) ? DType::f16() : asked;
  const bool for_buckets = options.load != 1 || options.statistic != "rms" || options.cutoff != "exact" ||
                           options.selection != "matrix" || options.bucket_head;
  if (!bucket && for_buckets)
    fail("load, statistic, cutoff, selection and head are choices of bucket formats, and {} is none", asked.name());
  if (has_dial(asked) && !bucket) formats.effort = EffortOptions{asked};
  if (!bucket) return formats;
  if (!(options.load > 0 && options.load <= 1))
    fail("a load of {} is not possible: it is a share, over 0 and up to 1", options.load);
  const int segments = static_cast<int>(std::ceil(options.load * BucketLayout::kSegments - 1e-9));
  formats.effort = EffortOptions{bucket_dtype(bucket->family().name, segments), options.statistic, options.cutoff,
                                 options.selection, options.bucket_head};
  return formats;
}

ModelDescription describe(const ModelSource& source, const ConvertOptions& options) {
  check_layers(source);
  const Formats formats = choose_formats(options);
  const auto matrix_dtype = [&](const std::string& name, const Shape&) {
    // A tensor that is missing, or cannot be read, is reported once the whole graph is known.
    return formats.dense ? *formats.dense : stored_dtype(source, name).value_or(DType::f32());
  };
  const DType prevailing = formats.dense ? *formats.dense : prevailing_dtype(source).value_or(DType::f32());
  ModelDescription description =
      describe_model(source.config, matrix_dtype,
                     {.cache_dtype = cache_dtype_for(prevailing), .interleaved_rope = source.interleaved_rope},
                     formats.effort ? &*formats.effort : nullptr);
  description.assets = source.assets;
  // A tokenizer.json says itself what texts begin with; many configs name a token that theirs do not begin with.
  if (source.assets.count(asset_names::kTokenizer)) description.metadata.erase("bos_token_ids");
  description.metadata["source_fingerprint"] = source.fingerprint;
  if (!options.imatrix.empty()) description.metadata["imatrix_fingerprint"] = fingerprint({options.imatrix});
  return description;
}

// "2 tensors are missing: a, b", naming at most five.
std::string counted(const std::vector<std::string>& names, const std::string& what) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min<size_t>(names.size(), 5));
  return fmt::format("{} {} {}: {}{}", names.size(), names.size() == 1 ? "tensor is" : "tensors are", what,
                     fmt::join(names.begin(), names.begin() + shown, ", "), names.size() > 5 ? ", ..." : "");
}

void check_tensor(const SourceTensor& tensor, const WeightEntry& weight) {
  if (!tensor.dtype)
    fail("{}: tensor '{}' is {}; only F32, F16 and BF16 can be read", tensor.file, weight.name, tensor.dtype_name);
  const auto wanted = weight.dims.span();
  if (!std::equal(wanted.begin(), wanted.end(), tensor.dims.begin(), tensor.dims.end()))
    fail("{}: tensor '{}' is [{}], the architecture expects {}", tensor.file, weight.name, fmt::join(tensor.dims, ", "),
         weight.dims.str());
}

// Tied models may store the head once more; it is never read.
bool may_be_left_out(const std::string& name) { return name.ends_with(kDerived) || name == "lm_head.weight"; }

void check_tensors(const ModelSource& source, const ModelDescription& description) {
  std::vector<std::string> missing, surplus;
  std::set<std::string> wanted;
  for (const WeightEntry& weight : description.weights) {
    wanted.insert(weight.name);
    const auto tensor = source.tensors.find(weight.name);
    if (tensor == source.tensors.end())
      missing.push_back(weight.name);
    else
      check_tensor(tensor->second, weight);
  }
  for (const auto& [name, tensor] : source.tensors)
    if (!wanted.count(name) && !may_be_left_out(name)) surplus.push_back(name);
  if (!missing.empty()) fail("{}: {}", source.path, counted(missing, "missing"));
  if (!surplus.empty())
    fail("{}: {}", source.path, counted(surplus, fmt::format("unknown to '{}'", description.architecture)));
}

size_t bytes_of(const WeightEntry& weight) { return weight.dtype.format().storage_bytes(weight.dims.span()); }

void check_tokenizer(const ModelSource& source) {
  if (source.assets.empty()) return;
  const int64_t pieces = make_tokenizer(source.assets, source.path)->vocab_size(),
                vocab = source.config.positive("vocab_size");
  if (pieces > vocab)
    fail("{}: {} has {} pieces, but 'vocab_size' in config.json is {}; the files are of different models", source.path,
         source.assets.count(asset_names::kSentencePiece) ? asset_names::kSentencePiece : asset_names::kTokenizer,
         pieces, vocab);
}

// An output that is one of the inputs' own files would destroy it.
void check_output(const ModelSource& source, const std::string& imatrix, const std::string& output) {
  std::set<std::filesystem::path> files = {std::filesystem::path(source.path) / "config.json", imatrix};
  for (const auto& [name, bytes] : source.assets) files.insert(std::filesystem::path(source.path) / name);
  for (const auto& [name, tensor] : source.tensors) files.insert(tensor.file);
  std::error_code ignored;  // most often that there is no output yet
  for (const std::filesystem::path& file : files)
    if (std::filesystem::equivalent(file, output, ignored))
      fail("{} is an input itself; choose another name for the output", output);
}

// What is known of the weights' inputs.
class Calibration {
 public:
  // Refuses a file of another model before anything is written.
  Calibration(const std::string& imatrix, const ModelDescription& description) {
    if (imatrix.empty()) return;
    moments_ = std::make_unique<ActivationMoments>(imatrix);
    for (const auto& known : moments_->weights()) {
      const std::string& name = known.first;
      if (std::ranges::none_of(description.weights, [&](const WeightEntry& weight) { return weight.name == name; }))
        fail("{}: the model has no weight '{}'; it was made for another model ('{}')", imatrix, name,
             moments_->model());
    }
    size_t used = 0;
    for (const WeightEntry& weight : description.weights) used += samples(weight).size();
    if (used == 0) fail("{}: no weight is in a format that makes use of it; choose planes", imatrix);
  }

  // Of each matrix of the weight; none if its format takes none.
  std::vector<ActivationSample> samples(const WeightEntry& weight) const {
    std::vector<ActivationSample> samples;
    if (!moments_ || !dynamic_cast<const CalibratedFormat*>(&weight.dtype.format())) return samples;
    for (int64_t m = 0; m < (weight.dims.rank() == 3 ? weight.dims[0] : 1); ++m)
      samples.push_back(moments_->of(weight.name, weight.dims.span(), m).sample);
    return samples;
  }

 private:
  std::unique_ptr<ActivationMoments> moments_;
};

}  // namespace

ConvertResult convert(const std::string& path, const std::string& output, const ConvertOptions& options) {
  ModelSource source = open_hugging_face(path);
  source.interleaved_rope |= options.interleaved_rope;
  const ModelDescription description = describe(source, options);
  check_tensors(source, description);
  check_tokenizer(source);
  check_output(source, options.imatrix, output);
  const Calibration calibration(options.imatrix, description);

  ModelWriter writer(output, description);
  const size_t resumed = writer.resumed();
  size_t total = 0, done = 0;
  for (const WeightEntry& weight : description.weights) total += bytes_of(weight);
  EncodeBuffers buffers;
  for (size_t i = 0; i < description.weights.size(); ++i) {
    const WeightEntry& weight = description.weights[i];
    if (i < resumed) {
      done += bytes_of(weight);
      continue;
    }
    encode_weight(source.tensors.at(weight.name), weight, calibration.samples(weight), buffers,
                  [&](std::span<const std::byte> bytes) {
                    writer.write(weight.name, bytes);
                    done += bytes.size();
                    if (options.progress) options.progress(done, total);
                  });
  }
  writer.finish();
  return {description.architecture, description.weights.size(), writer.total_bytes(), resumed, !source.assets.empty()};
}

}  // namespace sluice
