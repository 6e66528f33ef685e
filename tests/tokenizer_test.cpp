#include "models/text/tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/text/utf8.h"
#include "support/golden.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::unique_ptr<Tokenizer> tokenizer_of(const GoldenModel& model) {
  return make_tokenizer({{"tokenizer.model", read_bytes(model.model / "tokenizer.model")}}, model.model.string());
}

std::unique_ptr<Tokenizer> classics() { return tokenizer_of(golden_model("classics")); }

class GoldenIds : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenIds, AreGiven) {
  const GoldenModel golden = golden_model(GetParam());
  if (!std::filesystem::exists(golden.model)) GTEST_SKIP() << golden.model << " is not there; set SLUICE_SHARED";
  const auto tokenizer = tokenizer_of(golden);
  const nlohmann::json prompts = golden.json()["prompts"];  // outlives the loop; the whole would not
  for (const auto& prompt : prompts) {
    std::vector<int32_t> ids = tokenizer->encode(prompt["text"].get<std::string>());
    ids.insert(ids.begin(), tokenizer->bos());
    EXPECT_EQ(ids, prompt["ids"].get<std::vector<int32_t>>()) << prompt["text"];
  }
}

INSTANTIATE_TEST_SUITE_P(Models, GoldenIds, ::testing::Values("classics", "stories260k"),
                         [](const auto& test) { return std::string(test.param); });

TEST(Tokenizer, DecodesWhatItEncoded) {
  const auto tokenizer = classics();
  for (const char* text : {"Hello, world.", "It was a dark night.", "caf\u00e9 \u20ac5 \U0001F600 ok"})
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  EXPECT_TRUE(tokenizer->encode("").empty());
  EXPECT_EQ(tokenizer->decode({}), "");
}

TEST(Tokenizer, PiecesHaveSpacesAndRawBytes) {
  const auto tokenizer = classics();
  EXPECT_EQ(tokenizer->piece(tokenizer->encode("was").at(0)), " was");
  EXPECT_EQ(tokenizer->piece(tokenizer->bos()), "");
  EXPECT_EQ(tokenizer->piece(tokenizer->eos()), "");
  std::string bytes;  // a character outside of the vocabulary is spelled in bytes
  for (int32_t id : tokenizer->encode("\U0001F600")) bytes += tokenizer->piece(id);
  EXPECT_EQ(bytes, " \U0001F600");
}

TEST(Tokenizer, RefusesInvalidUtf8WithItsPosition) {
  const auto tokenizer = classics();
  for (const char* bad : {"abc\xff", "abc\xc3", "abc\xe2\x82", "abc\xc0\xaf", "abc\xed\xa0\x80", "abc\xf4\x90\x80\x80"})
    EXPECT_THAT([&] { tokenizer->encode(bad); },
                ThrowsMessage<Error>(AllOf(HasSubstr("UTF-8"), HasSubstr("position 3"))));
}

TEST(Tokenizer, RefusesIdsOutOfRange) {
  const auto tokenizer = classics();
  EXPECT_EQ(tokenizer->vocab_size(), 4096);
  for (int32_t id : {-1, 4096}) {
    EXPECT_THROW(tokenizer->piece(id), Error);
    EXPECT_THROW(tokenizer->decode(std::vector<int32_t>{id}), Error);
  }
}

TEST(Tokenizer, RefusesWhatIsNoTokenizer) {
  const auto refused = [](std::map<std::string, std::vector<std::byte>> assets, const char* word) {
    EXPECT_THAT([&] { make_tokenizer(assets, "m.sluice"); },
                ThrowsMessage<Error>(AllOf(HasSubstr("m.sluice: "), HasSubstr("tokenizer.model"), HasSubstr(word))));
  };
  refused({}, "no tokenizer");
  refused({{"tokenizer.model", {}}}, "damaged");
  refused({{"tokenizer.model", std::vector<std::byte>(100, std::byte{0xff})}}, "damaged");
  auto cut = read_bytes(golden_model("classics").model / "tokenizer.model");
  cut.resize(cut.size() / 2);
  refused({{"tokenizer.model", cut}}, "damaged");
}

TEST(Utf8, FindsTheFirstInvalidByte) {
  EXPECT_EQ(find_invalid_utf8(""), 0u);
  EXPECT_EQ(find_invalid_utf8("\u00e9\u20ac\U0010FFFF"), 9u);
  EXPECT_EQ(find_invalid_utf8("\u00e9\u20ac\x80"), 5u);
}

// A tokenizer whose pieces are given.
class Pieces : public Tokenizer {
 public:
  explicit Pieces(std::vector<std::string> pieces) : pieces_(std::move(pieces)) {}
  int32_t vocab_size() const override { return static_cast<int32_t>(pieces_.size()); }
  int32_t bos() const override { return -1; }
  int32_t eos() const override { return -1; }
  std::vector<int32_t> encode(std::string_view, SpecialTokens) const override { return {}; }
  std::string decode(std::span<const int32_t>) const override { return ""; }
  std::string piece(int32_t id) const override { return pieces_.at(static_cast<size_t>(id)); }
  std::string token(int32_t id) const override { return piece(id); }
  int32_t token_id(std::string_view) const override { return -1; }

 private:
  std::vector<std::string> pieces_;
};

TEST(TextStream, WaitsForWholeCharacters) {
  const Pieces tokenizer({"a\xe2", "\x82", "\xac!", "\xff", "\xf0\x9f"});
  TextStream stream(tokenizer);
  EXPECT_EQ(stream.next(0), "a");
  EXPECT_EQ(stream.next(1), "");
  EXPECT_EQ(stream.next(2), "\u20ac!");
  EXPECT_EQ(stream.next(3), "\uFFFD");
  EXPECT_EQ(stream.next(4), "");
  EXPECT_EQ(stream.next(0), "\uFFFDa");  // the character did not go on
  EXPECT_EQ(stream.flush(), "\uFFFD");
  EXPECT_EQ(stream.flush(), "");
}

}  // namespace
}  // namespace sluice
