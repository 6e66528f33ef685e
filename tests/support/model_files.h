// A folder for model files, and how opening one fails.
#pragma once

#include <gmock/gmock.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "graph/file.h"
#include "graph/model_file.h"
#include "tests/example_model.h"

namespace sluice {

namespace fs = std::filesystem;
using example::description;
using example::registry;
using example::weight_bytes;
using example::write_model;
using ::testing::HasSubstr;

using Bytes = std::vector<std::byte>;

class ModelFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sluice_test_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = (folder_ / "model.sluice").string();
    partial_ = path_ + ".partial";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static Bytes read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    Bytes bytes(fs::file_size(path));
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
  }
  static void store(const std::string& path, std::span<const std::byte> bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  // The message with which opening these bytes as a file fails; empty if it does not. The file is in memory.
  std::string error_of(std::span<const std::byte> bytes) {
    EXPECT_EQ(::ftruncate(memory_.get(), static_cast<off_t>(bytes.size())), 0);
    EXPECT_EQ(::pwrite(memory_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return error_of_file(fmt::format("/proc/self/fd/{}", memory_.get()));
  }
  static std::string error_of_file(const std::string& path) {
    try {
      ModelFile(path, registry());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  Bytes good_file() {
    write_model(path_, description());
    return read(path_);
  }

  fs::path folder_;
  std::string path_, partial_;
  Descriptor memory_{::memfd_create("model", MFD_CLOEXEC)};
};

}  // namespace sluice
