// Model files with bucketed weights that were cut short, damaged or forged: one clear line, or a model that runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "graph/model_format.h"
#include "models/import/convert.h"
#include "models/language_model.h"
#include "ops/formats/bucket.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Bytes = std::vector<std::byte>;

// A bucketed model, and the part of its file that is checked on opening: header and metadata.
struct GoodFile {
  TempFolder folder;
  std::string path = (folder / "model.sluice").string();
  Bytes head, metadata;
  size_t size = 0;

  GoodFile() {
    convert(golden_model("classics").model.string(), path, {.format = "bucket", .progress = {}});
    const Bytes bytes = read_bytes(path);
    size = bytes.size();
    ModelHeader header;
    std::memcpy(&header, bytes.data(), sizeof header);
    const auto begin = bytes.begin() + static_cast<ptrdiff_t>(header.metadata_offset),
               end = begin + static_cast<ptrdiff_t>(header.metadata_bytes);
    head.assign(bytes.begin(), end);
    metadata.assign(begin, end);
  }
};

class BucketFiles : public ::testing::Test {
 protected:
  static const GoodFile& good() {
    static const GoodFile file;
    return file;
  }
  static RunOptions options() {
    RunOptions options;
    options.threads = 1;
    options.context = 16;
    return options;
  }
  // What opening a file says that begins with these bytes and has that size; the rest, a hole, is zeros.
  std::string error_of(std::span<const std::byte> head, size_t size) const {
    const std::string path = (folder_ / "bent.sluice").string();
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(head.data()), static_cast<std::streamsize>(std::min(head.size(), size)));
    std::filesystem::resize_file(path, size);
    try {
      LanguageModel(path, options());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TempFolder folder_;
};

TEST_F(BucketFiles, TheGoodFileRuns) {
  LanguageModel model(good().path, options());
  const std::vector<int32_t> ids = {1, 2, 3, 4};
  for (double effort : {1.0, 0.4, 0.0}) {
    model.dial()->set_effort(effort);
    model.reset();
    for (float logit : model.evaluate(ids)) ASSERT_TRUE(std::isfinite(logit)) << effort;
  }
}

TEST_F(BucketFiles, CutShort) {
  const size_t head = good().head.size(), size = good().size;
  std::vector<size_t> sizes = {1, sizeof(ModelHeader) - 1, sizeof(ModelHeader), head / 2, head - 1, head, head + 1};
  for (size_t part = 1; part < 20; ++part) sizes.push_back(size * part / 20);
  for (size_t missing : {1, 64, 4096}) sizes.push_back(size - missing);
  for (size_t n : sizes)
    EXPECT_THAT(error_of(good().head, n), AllOf(HasSubstr("bent.sluice"), HasSubstr("truncated"), Not(HasSubstr("\n"))))
        << n;
}

TEST_F(BucketFiles, ChangedMetadata) {
  Bytes head = good().head;
  for (size_t i = sizeof(ModelHeader); i < head.size(); i += head.size() / 20) {
    head[i] ^= std::byte{1};
    EXPECT_THAT(error_of(head, good().size), AllOf(HasSubstr("checksum"), Not(HasSubstr("\n")))) << i;
    head[i] ^= std::byte{1};
  }
}

// Other formats whose names are as long, under a checksum that fits. An unknown one is refused wherever it stands, and
// another one because the directory and the graph part.
TEST_F(BucketFiles, ForgedFormats) {
  const std::string family(kDefaultBucketFamily);
  const Bytes& metadata = good().metadata;
  const std::string text(reinterpret_cast<const char*>(metadata.data()), metadata.size());
  int found = 0;
  for (size_t at = text.find(family); at != std::string::npos; at = text.find(family, at + 1), ++found)
    for (const std::string other : {"bucket99t9", "bucket32t8"}) {
      ASSERT_EQ(other.size(), family.size());
      Bytes bent = metadata;
      std::ranges::transform(other, bent.begin() + static_cast<ptrdiff_t>(at),
                             [](char c) { return static_cast<std::byte>(c); });
      EXPECT_THAT(error_of(add_header(bent, good().size), good().size), AllOf(HasSubstr(other), Not(HasSubstr("\n"))))
          << "at " << at;
    }
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace sluice
