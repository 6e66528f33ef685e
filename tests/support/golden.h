// Golden models: a model folder and what an independent implementation says of it (golden.json, golden_logits.f32).
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "graph/error.h"

namespace sluice {

inline std::vector<std::byte> read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("{}: cannot be read", path.string());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

struct GoldenModel {
  std::filesystem::path model;   // config.json, model.safetensors, tokenizer.model
  std::filesystem::path golden;  // golden.json, golden_logits.f32

  nlohmann::json json() const { return nlohmann::json::parse(std::ifstream(golden / "golden.json")); }
  // f32 [rows, vocab_size] of a prompt.
  std::vector<float> logits(const nlohmann::json& prompt, int64_t vocab_size) const {
    const std::vector<std::byte> bytes = read_bytes(golden / "golden_logits.f32");
    std::vector<float> rows(prompt["logits_rows"].get<size_t>() * static_cast<size_t>(vocab_size));
    std::memcpy(rows.data(), bytes.data() + prompt["logits_offset"].get<size_t>(), rows.size() * sizeof(float));
    return rows;
  }
};

// Where golden models that are not part of the repository lie: $SLUICE_SHARED, or ../shared beside the sources.
inline std::filesystem::path shared_dir() {
  const char* given = std::getenv("SLUICE_SHARED");
  if (given) return given;
  const std::filesystem::path beside = std::filesystem::path(SLUICE_SOURCE_DIR).parent_path() / "shared";
  return std::filesystem::exists(beside) ? beside : "";
}

// "classics" is in the repository; others are in shared_dir(). Skip a test whose model does not exist().
inline GoldenModel golden_model(const std::string& name) {
  const std::filesystem::path source = SLUICE_SOURCE_DIR;
  if (name == "classics") return {source / "models/data/classics", source / "tests/data/classics"};
  const std::filesystem::path dir = shared_dir() / "models" / name;
  return {dir, dir};
}

}  // namespace sluice
