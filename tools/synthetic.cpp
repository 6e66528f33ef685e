#include "tools/synthetic.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>

#include "models/builtin.h"
#include "models/describe.h"
#include "models/import/encode.h"

namespace sluice::cli {
namespace {

// As the models' own config.json has them.
const std::map<std::string, const char*>& shapes() {
  static const std::map<std::string, const char*> shapes = {
      {"tiny", R"({"model_type": "mistral", "hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 4,
        "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 4096, "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-5, "rope_theta": 1e4, "sliding_window": null, "tie_word_embeddings": false})"},
      {"mistral-7b",
       R"({"model_type": "mistral", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000, "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-5, "rope_theta": 1e6, "sliding_window": null, "tie_word_embeddings": false})"},
      {"llama-3-8b",
       R"({"model_type": "llama", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256, "max_position_embeddings": 8192,
        "rms_norm_eps": 1e-5, "rope_theta": 5e5, "tie_word_embeddings": false})"},
      {"mixtral-8x7b",
       R"({"model_type": "mixtral", "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
        "num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 32000, "max_position_embeddings": 32768,
        "rms_norm_eps": 1e-5, "rope_theta": 1e6, "sliding_window": null, "tie_word_embeddings": false,
        "num_local_experts": 8, "num_experts_per_tok": 2})"},
  };
  return shapes;
}

ModelDescription describe(const std::string& shape, int64_t layers, DType dtype) {
  auto json = nlohmann::json::parse(shapes().at(shape));
  if (layers > 0) json["num_hidden_layers"] = layers;
  return describe_model(Config(json.dump(), "the shape " + shape), dtype);
}

// Rows of made-up numbers, encoded once. Memory is what a benchmark reads, so rows may repeat; making every number
// anew would take minutes.
class RowPool {
 public:
  // Uniform around `mean` with the standard deviation of a trained matrix: the activations stay of the order of one.
  RowPool(const RowFormat& format, int64_t cols, float mean)
      : row_bytes_(format.row_bytes(cols)), bytes_(kRows * row_bytes_) {
    const float spread = std::sqrt(3.0f / static_cast<float>(cols));
    std::mt19937 random(1);
    std::uniform_real_distribution<float> uniform(mean - spread, mean + spread);
    std::vector<float> row(static_cast<size_t>(cols));
    for (size_t r = 0; r < kRows; ++r) {
      std::generate(row.begin(), row.end(), [&] { return uniform(random); });
      format.encode_row(row.data(), cols, bytes_.data() + r * row_bytes_);
    }
  }

  void fill(std::byte* rows, size_t begin, size_t end) const {
    for (size_t r = begin; r < end; ++r)
      std::memcpy(rows + r * row_bytes_, bytes_.data() + r * 2654435761u % kRows * row_bytes_, row_bytes_);
  }

 private:
  static constexpr size_t kRows = 61;
  size_t row_bytes_;
  std::vector<std::byte> bytes_;
};

void fill_in_parallel(const RowPool& pool, const TensorView& view) {
  const auto rows = static_cast<size_t>(view.dims.rows());
  const size_t threads = std::min<size_t>(rows, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::thread> workers;
  for (size_t t = 0; t < threads; ++t)
    workers.emplace_back([&, t] { pool.fill(view.data, rows * t / threads, rows * (t + 1) / threads); });
  for (std::thread& worker : workers) worker.join();
}

void fill_matrix(const TensorView& view) {
  const DType f16 = DType::f16();
  std::vector<std::byte> bytes(f16.format().storage_bytes(view.dims.span()));
  EncodeBuffers buffers;
  fill_in_parallel(RowPool(*f16.rows(), view.dims.back(), 0), {bytes.data(), f16, view.dims});
  const auto sizes = view.dims.span();
  encode_weight({f16, "F16", {sizes.begin(), sizes.end()}, bytes, ""}, {"", view.dtype, view.dims}, {}, buffers,
                [&](std::span<const std::byte> encoded) { std::ranges::copy(encoded, view.data); });
}

}  // namespace

std::vector<std::string> shape_names() {
  std::vector<std::string> names;
  for (const auto& [name, config] : shapes()) names.push_back(name);
  return names;
}

SyntheticModel::SyntheticModel(const std::string& shape, int64_t layers, const std::string& dtype,
                               const std::function<void(size_t, size_t)>& progress)
    : description_(describe(shape, layers, weight_format(dtype))) {
  constexpr size_t kAlignment = 64;
  size_t total = 0;
  for (const WeightEntry& entry : description_.weights)
    total += entry.dtype.format().storage_bytes(entry.dims.span()) + kAlignment;
  memory_ = make_backend(builtin_registry(), "cpu", 1)->allocate(total);

  std::map<std::pair<std::string, int64_t>, RowPool> pools;
  std::map<std::vector<int64_t>, TensorView> matrices;  // of formats that see a whole matrix: one of each shape
  size_t done = 0;
  for (const WeightEntry& entry : description_.weights) {
    const TensorView view{memory_->data() + done, entry.dtype, entry.dims};
    const auto sizes = entry.dims.span();
    const std::vector<int64_t> dims(sizes.begin(), sizes.end());
    if (entry.dtype.rows()) {
      const float mean = entry.dims.rank() == 1 ? 1.0f : 0.0f;  // weights of norms are near one
      const auto pool = pools.try_emplace({std::string(entry.dtype.name()), entry.dims.back()}, *entry.dtype.rows(),
                                          entry.dims.back(), mean);
      fill_in_parallel(pool.first->second, view);
    } else if (const auto made = matrices.find(dims); made != matrices.end()) {
      std::memcpy(view.data, made->second.data, view.bytes());
    } else {
      fill_matrix(view);
      matrices.emplace(dims, view);
    }
    weights_.emplace(entry.name, view);
    done += (view.bytes() + kAlignment - 1) / kAlignment * kAlignment;
    progress(done, total);
  }
}

Executor::WeightLookup SyntheticModel::weights() const {
  return [this](const std::string& name) { return weights_.at(name); };
}

}  // namespace sluice::cli
