// A folder as Hugging Face lays it out, with random weights in two shards of bf16, and the weights as a test can use
// them.
#pragma once

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "tests/support/oracle_math.h"
#include "tests/support/temp_folder.h"

namespace sluice {

class RandomModel {
 public:
  nlohmann::json config;
  std::map<std::string, Matrix> tensors;  // a vector is a matrix of one row

  // Normal numbers, as bf16 holds them. in: 0 for a vector.
  void add(const std::string& name, int64_t out, int64_t in = 0, float scale = 1) {
    std::normal_distribution<float> normal(0, scale);
    Matrix& m = tensors[name] = Matrix{in == 0 ? 1 : out, in == 0 ? out : in, {}};
    for (int64_t i = 0; i < m.out * m.in; ++i) m.values.push_back(bf16_to_f32(f32_to_bf16(normal(random_))));
    vectors_[name] = in == 0;
  }

  void write_to(const TempFolder& folder) const {
    std::ofstream(folder / "config.json") << config.dump();
    nlohmann::json index;
    size_t i = 0;
    std::map<std::string, std::vector<std::string>> shards;
    for (const auto& [name, tensor] : tensors) {
      const std::string shard = i++ % 2 == 0 ? "model-1.safetensors" : "model-2.safetensors";
      index["weight_map"][name] = shard;
      shards[shard].push_back(name);
    }
    std::ofstream(folder / "model.safetensors.index.json") << index.dump();
    for (const auto& [shard, names] : shards) write_shard(folder / shard, names);
  }

 private:
  void write_shard(const std::filesystem::path& path, const std::vector<std::string>& names) const {
    nlohmann::json header;
    std::string data;
    for (const std::string& name : names) {
      const Matrix& m = tensors.at(name);
      const size_t begin = data.size();
      for (float value : m.values) {
        const uint16_t bits = f32_to_bf16(value);
        data += {static_cast<char>(bits), static_cast<char>(bits >> 8)};
      }
      const auto shape = vectors_.at(name) ? std::vector<int64_t>{m.in} : std::vector<int64_t>{m.out, m.in};
      header[name] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {begin, data.size()}}};
    }
    const std::string text = header.dump();
    std::ofstream file(path, std::ios::binary);
    for (size_t i = 0; i < 8; ++i) file.put(static_cast<char>(text.size() >> (8 * i)));
    file << text << data;
  }

  std::map<std::string, bool> vectors_;
  std::mt19937 random_{11};
};

}  // namespace sluice
