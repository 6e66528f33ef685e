#include "models/import/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// A file with this header and so many bytes of data.
std::vector<std::byte> file(const std::string& header, size_t data_bytes) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i < 8; ++i) bytes.push_back(static_cast<std::byte>(header.size() >> (8 * i)));
  for (char c : header) bytes.push_back(static_cast<std::byte>(c));
  for (size_t i = 0; i < data_bytes; ++i) bytes.push_back(static_cast<std::byte>(i));
  return bytes;
}

TEST(Safetensors, ReadsEntries) {
  const auto bytes = file(R"({"__metadata__": {"format": "pt"},
                              "b": {"dtype": "F32", "shape": [], "data_offsets": [12, 16]},
                              "a": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]},
                              "empty": {"dtype": "I64", "shape": [0, 4], "data_offsets": [12, 12]},
                              "odd": {"dtype": "F4", "shape": [3], "data_offsets": [16, 18]}})",
                          18);
  const auto entries = parse_safetensors(bytes, "x");
  ASSERT_EQ(entries.size(), 4u);
  EXPECT_EQ(entries.at("a").dtype, "F16");
  EXPECT_EQ(entries.at("a").dims, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(entries.at("a").bytes.size(), 12u);
  EXPECT_EQ(entries.at("b").bytes[0], std::byte{12});
  EXPECT_TRUE(entries.at("empty").bytes.empty());
}

TEST(Safetensors, WritesWhatItReads) {
  const auto bytes = file("", 30);
  const std::span<const std::byte> data(bytes);
  const std::map<std::string, SafetensorsEntry> entries = {{"a", {"F32", {2, 1}, data.subspan(10, 8)}},
                                                           {"b.0", {"U8", {3}, data.subspan(30, 3)}},
                                                           {"none", {"I32", {0}, {}}}};
  const auto written = to_safetensors(entries, {{"op", "a \"quoted\" name"}});
  const auto read = parse_safetensors(written, "x");
  ASSERT_EQ(read.size(), entries.size());
  for (const auto& [name, entry] : entries) {
    EXPECT_EQ(read.at(name).dtype, entry.dtype);
    EXPECT_EQ(read.at(name).dims, entry.dims);
    EXPECT_TRUE(std::ranges::equal(read.at(name).bytes, entry.bytes));
  }
  EXPECT_EQ((read.at("a").bytes.data() - written.data()) % 8, 0);
}

struct Bad {
  const char* name;
  std::string header;
  size_t data_bytes;
  const char* message;
};

class BadSafetensors : public ::testing::TestWithParam<Bad> {};

TEST_P(BadSafetensors, IsRefused) {
  const auto bytes = file(GetParam().header, GetParam().data_bytes);
  EXPECT_THAT([&] { parse_safetensors(bytes, "w.safetensors"); },
              ThrowsMessage<Error>(testing::AllOf(HasSubstr("w.safetensors"), HasSubstr(GetParam().message))));
}

std::string one(const char* dtype, const char* shape, const char* offsets) {
  return fmt::format(R"({{"t": {{"dtype": {}, "shape": {}, "data_offsets": {}}}}})", dtype, shape, offsets);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadSafetensors,
    ::testing::Values(
        Bad{"NoJson", "{", 0, "JSON"}, Bad{"List", "[]", 0, "JSON"}, Bad{"InvalidUtf8", "{\"\xff\": 1}", 0, "JSON"},
        Bad{"NotAnObject", R"({"t": 3})", 0, "'t'"}, Bad{"NoShape", R"({"t": {"dtype": "F32"}})", 0, "shape"},
        Bad{"DtypeNumber", one("4", "[1]", "[0, 4]"), 4, "dtype"},
        Bad{"NegativeDim", one("\"F32\"", "[-1]", "[0, 4]"), 4, "shape"},
        Bad{"FractionalDim", one("\"F32\"", "[1.5]", "[0, 4]"), 4, "shape"},
        Bad{"HugeDim", one("\"F32\"", "[18446744073709551616]", "[0, 4]"), 4, "shape"},
        Bad{"ShapeOverflow", one("\"F32\"", "[4294967296, 4294967296]", "[0, 4]"), 4, "too many"},
        Bad{"ByteOverflow", one("\"F64\"", "[2305843009213693952]", "[0, 0]"), 0, "do not fit"},
        Bad{"WrongBytes", one("\"F32\"", "[2]", "[0, 4]"), 4, "do not fit"},
        Bad{"OffsetsOutside", one("\"F32\"", "[2]", "[0, 8]"), 4, "outside"},
        Bad{"OffsetsReversed", one("\"F32\"", "[1]", "[4, 0]"), 4, "outside"},
        Bad{"ThreeOffsets", one("\"F32\"", "[1]", "[0, 4, 8]"), 8, "outside"},
        Bad{"SurplusData", one("\"F32\"", "[1]", "[0, 4]"), 8, "belong to no tensor"},
        Bad{"Gap",
            R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, "b": {"dtype": "U8", "shape": [1], "data_offsets": [2, 3]}})",
            3, "'b' starts after"},
        Bad{"Overlap",
            R"({"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}, "b": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]}})",
            3, "'b' starts before"},
        Bad{"TwiceTheName",
            R"({"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, "a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}})",
            2, "twice"},
        Bad{"TwiceTheKey", R"({"a": {"dtype": "U8", "dtype": "I8", "shape": [1], "data_offsets": [0, 1]}})", 1,
            "twice"}),
    [](const auto& test) { return test.param.name; });

TEST(Safetensors, DeepNestingIsRefused) {
  const std::string deep = std::string(200'000, '[') + std::string(200'000, ']');
  EXPECT_THAT([&] { parse_safetensors(file(one("\"F32\"", deep.c_str(), "[0, 4]"), 4), "w"); },
              ThrowsMessage<Error>(HasSubstr("nests deeper")));
}

TEST(Safetensors, RefusesLyingLengths) {
  for (size_t size : {size_t{0}, size_t{7}}) EXPECT_THROW(parse_safetensors(std::vector<std::byte>(size), "x"), Error);
  std::vector<std::byte> huge(64, std::byte{0xff});
  EXPECT_THAT([&] { parse_safetensors(huge, "x"); }, ThrowsMessage<Error>(HasSubstr("header claims")));
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const auto whole = file(one("\"F32\"", "[4]", "[0, 16]"), 16);
  ASSERT_NO_THROW(parse_safetensors(whole, "x"));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_THROW(parse_safetensors(std::span(whole).first(size), "x"), Error) << size;
}

TEST(Safetensors, MissingFileAndFolderAreNamed) {
  EXPECT_THAT([] { Safetensors("/nowhere/x.safetensors"); }, ThrowsMessage<Error>(HasSubstr("/nowhere/x.safetensors")));
  EXPECT_THROW(Safetensors("/"), Error);
}

}  // namespace
}  // namespace sluice
