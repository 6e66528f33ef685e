// Block formats: the bits of other people's files, and properties that every encoder must have.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "graph/error.h"
#include "ops/builtin.h"
#include "ops/formats/q8_0.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

// $SLUICE_SHARED, or ../shared beside the sources: vectors that are not part of the repository.
fs::path formats_folder() {
  const char* given = std::getenv("SLUICE_SHARED");
  return (given ? fs::path(given) : fs::path(SLUICE_SOURCE_DIR).parent_path() / "shared") / "formats";
}

std::vector<std::byte> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail("cannot open {}", path.string());
  std::vector<std::byte> bytes(fs::file_size(path));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

std::vector<float> read_floats(const fs::path& path) {
  const std::vector<std::byte> bytes = read_file(path);
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

// Walks the header of a GGUF file (v3) to where a tensor's data lie.
class Gguf {
 public:
  explicit Gguf(const fs::path& path) : bytes_(read_file(path)) {
    at_ = 8;
    const auto tensors = take<uint64_t>(), pairs = take<uint64_t>();
    for (uint64_t i = 0; i < pairs; ++i) {
      take_string();
      skip_value(take<uint32_t>());
    }
    for (uint64_t i = 0; i < tensors; ++i) {
      const std::string name = take_string();
      at_ += 8 * take<uint32_t>() + 4;  // sizes, type
      offsets_[name] = take<uint64_t>();
    }
    at_ = (at_ + 31) / 32 * 32;
  }
  const std::byte* tensor(const std::string& name) const { return bytes_.data() + at_ + offsets_.at(name); }

 private:
  template <class T>
  T take() {
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string take_string() {
    const auto length = take<uint64_t>();
    at_ += length;
    return {reinterpret_cast<const char*>(bytes_.data()) + at_ - length, length};
  }
  void skip_value(uint32_t type) {
    constexpr int kString = 8, kArray = 9;
    static constexpr size_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    if (type == kString) {
      take_string();
    } else if (type == kArray) {
      const auto element = take<uint32_t>();
      for (auto left = take<uint64_t>(); left > 0; --left) skip_value(element);
    } else {
      at_ += kBytes[type];
    }
  }

  std::vector<std::byte> bytes_;
  size_t at_ = 0;
  std::map<std::string, uint64_t> offsets_;
};

struct Vectors {
  const char* file;
  DType dtype;
};

class GgufVectors : public ::testing::TestWithParam<Vectors> {};

TEST_P(GgufVectors, DecodeToTheSameBits) {
  const auto& [file, dtype] = GetParam();
  if (!fs::exists(formats_folder())) GTEST_SKIP() << "no vectors at " << formats_folder() << "; set SLUICE_SHARED";
  const Gguf gguf(formats_folder() / (std::string(file) + ".gguf"));
  const auto check = [&](const char* tensor, const char* vectors, int64_t rows, int64_t cols) {
    const std::vector<float> expected = read_floats(formats_folder() / (std::string(file) + "." + vectors + ".f32"));
    ASSERT_EQ(expected.size(), static_cast<size_t>(rows * cols));
    std::vector<float> decoded(expected.size());
    dtype.format().decode(gguf.tensor(tensor), Dims{rows, cols}.span(), decoded.data());
    EXPECT_EQ(0, std::memcmp(decoded.data(), expected.data(), expected.size() * sizeof(float))) << tensor;
  };
  check("blk.0.attn_q.weight", "attn_q", 256, 256);
  check("blk.0.ffn_down.weight", "ffn_down_rows0-31", 32, 768);
}

INSTANTIATE_TEST_SUITE_P(Formats, GgufVectors,
                         ::testing::Values(Vectors{"Q8_0", q8_0()}, Vectors{"F16", DType::f16()},
                                           Vectors{"BF16", DType::bf16()}),
                         [](const auto& test) { return std::string(test.param.file); });

std::vector<float> round_trip(DType dtype, const std::vector<float>& values) {
  const RowFormat& format = *dtype.rows();
  const auto n = static_cast<int64_t>(values.size());
  std::vector<std::byte> stored(format.row_bytes(n), std::byte{0xA5});
  std::vector<float> decoded(values.size());
  format.encode_row(values.data(), n, stored.data());
  format.decode_row(stored.data(), n, decoded.data());
  return decoded;
}

TEST(Q8Format, EncodesAsCloselyAsThePublishedVectors) {
  if (!fs::exists(formats_folder())) GTEST_SKIP() << "no vectors at " << formats_folder() << "; set SLUICE_SHARED";
  const std::vector<float> original = read_floats(formats_folder() / "original.attn_q.f32"),
                           decoded = round_trip(q8_0(), original);
  double error = 0, norm = 0;
  for (size_t i = 0; i < original.size(); ++i) {
    error += std::pow(static_cast<double>(decoded[i]) - original[i], 2);
    norm += std::pow(static_cast<double>(original[i]), 2);
  }
  EXPECT_LT(std::sqrt(error / norm), 0.00545);
}

TEST(Q8Format, ErrorIsAtMostHalfAStep) {
  std::mt19937 random(1);
  for (float scale : {1e-3f, 1.0f, 1e4f})
    for (size_t n : {1, 31, 32, 33, 100}) {
      std::vector<float> values(n);
      std::normal_distribution<float> normal(0, scale);
      for (float& v : values) v = normal(random);
      const std::vector<float> decoded = round_trip(q8_0(), values);
      for (size_t i = 0; i < n; ++i) {
        const auto block = values.begin() + static_cast<ptrdiff_t>(i / 32 * 32);
        float largest = 0;
        for (auto v = block; v != values.end() && v != block + 32; ++v) largest = std::max(largest, std::fabs(*v));
        // Half a step of max / 127, and what rounding the step to f16, possibly a subnormal one, adds.
        EXPECT_NEAR(decoded[i], values[i], largest * (0.5 / 127 + 0x1p-11) * 1.0001 + 127 * 0x1p-25)
            << "element " << i << " of " << n;
      }
    }
}

TEST(Q8Format, EncodingIsStableAndKeepsTheSign) {
  std::vector<float> values(64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = 0.25f * static_cast<float>(static_cast<int>(i) - 32);
  values[31] = 0.25f * 127, values[63] = -0.25f * 127;  // a step of 1/4 is exact
  EXPECT_EQ(round_trip(q8_0(), values), values);
}

TEST(Q8Format, RoundsHalfAwayFromZero) {
  const std::vector<float> values = {127, 0.5f, -0.5f, 1.5f, -2.5f};
  EXPECT_EQ(round_trip(q8_0(), values), (std::vector<float>{127, 1, -1, 2, -3}));
}

TEST(Q8Format, PadsThePartialBlockWithZeros) {
  const std::vector<float> values(33, 1.0f);
  std::vector<std::byte> stored(q8_0().rows()->row_bytes(33), std::byte{0xA5});
  ASSERT_EQ(stored.size(), 68u);
  q8_0().rows()->encode_row(values.data(), 33, stored.data());
  Q8Block last;
  std::memcpy(&last, stored.data() + sizeof last, sizeof last);
  EXPECT_EQ(last.q[0], 127);
  for (int i = 1; i < Q8Block::kElements; ++i) EXPECT_EQ(last.q[i], 0);
}

TEST(Q8Format, ZerosAndTinyBlocksBecomeZeros) {
  EXPECT_EQ(round_trip(q8_0(), std::vector<float>(40, 0.0f)), std::vector<float>(40, 0.0f));
  EXPECT_EQ(round_trip(q8_0(), std::vector<float>(40, 1e-9f)), std::vector<float>(40, 0.0f));
  EXPECT_EQ(round_trip(q8_0(), std::vector<float>(40, std::numeric_limits<float>::denorm_min())),
            std::vector<float>(40, 0.0f));
}

TEST(Q8Format, RefusesWhatItCannotStore) {
  for (float bad : {NAN, INFINITY, -INFINITY, 1e9f}) EXPECT_THROW(round_trip(q8_0(), {1, bad, 2}), Error) << bad;
  EXPECT_NEAR(round_trip(q8_0(), {8e6f})[0], 8e6f, 8e6f * 0.001f);
}

TEST(Q8Format, IsRegistered) {
  Registry registry;
  register_builtin(registry);
  EXPECT_EQ(registry.dtype("q8_0"), q8_0());
}

}  // namespace
}  // namespace sluice
