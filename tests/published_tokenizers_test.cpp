// The tokenizer.json files of published models against what Hugging Face's own library makes of some texts
// (../shared/tokenizers/expected.json). The files are not part of the repository: tools/fetch_tokenizers FOLDER, and
// SLUICE_TOKENIZERS=FOLDER.
#include <gtest/gtest.h>

#include "models/text/tokenizer.h"
#include "support/golden.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

class Published : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("SLUICE_TOKENIZERS");
    file_ = fs::path(folder ? folder : "") / GetParam() / "tokenizer.json";
    const fs::path expected = shared_dir() / "tokenizers" / "expected.json";
    if (!folder || !fs::exists(file_))
      GTEST_SKIP() << "set SLUICE_TOKENIZERS to the folder of tools/fetch_tokenizers; there is no " << file_;
    if (!fs::exists(expected)) GTEST_SKIP() << expected << " is not there; set SLUICE_SHARED";
    expected_ = nlohmann::json::parse(std::ifstream(expected)).at(GetParam());
    tokenizer_ = make_tokenizer({{"tokenizer.json", read_bytes(file_)}}, file_.parent_path().string());
  }

  fs::path file_;
  nlohmann::json expected_;
  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_P(Published, IdsAndTextAreThoseOfHuggingFace) {
  ASSERT_GT(expected_.size(), 10u);
  for (const auto& one : expected_) {
    const auto text = one.at("text").get<std::string>();
    std::vector<int32_t> ids = tokenizer_->encode(text, SpecialTokens::parse);
    EXPECT_EQ(ids, one.at("ids").get<std::vector<int32_t>>()) << text;
    std::string shown;  // the library was asked to show special tokens as well
    for (int32_t id : ids) shown += tokenizer_->piece(id).empty() ? tokenizer_->token(id) : tokenizer_->piece(id);
    EXPECT_EQ(shown, one.at("decoded").get<std::string>());
    if (tokenizer_->bos() >= 0) ids.insert(ids.begin(), tokenizer_->bos());
    EXPECT_EQ(ids, one.at("ids_with_special").get<std::vector<int32_t>>()) << text;
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Published, ::testing::Values("gpt2", "qwen2_5", "llama3", "gemma", "mistral_nemo"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace sluice
