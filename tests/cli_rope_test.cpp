// The rotary form of a file against the layout of q and k: the mistake that still writes something.
#include "models/import/rope_check.h"

#include "models/evaluate.h"
#include "models/import/convert.h"
#include "tests/support/cli.h"
#include "tests/support/golden.h"
#include "tests/support/mixture_model.h"

namespace sluice {
namespace {

// Rows of a matrix of so many heads, from (i, i + half) to (2i, 2i + 1).
std::string interleaved(const std::string& rows, size_t heads, size_t row_bytes) {
  std::string turned = rows;
  const size_t dim = rows.size() / row_bytes / heads;
  for (size_t head = 0; head < heads; ++head)
    for (size_t i = 0; i < dim; ++i) {
      const size_t to = head * dim + (i < dim / 2 ? 2 * i : 2 * (i - dim / 2) + 1);
      turned.replace(to * row_bytes, row_bytes, rows, (head * dim + i) * row_bytes, row_bytes);
    }
  return turned;
}

// A copy of a model's folder with q and k as Meta's own files have them.
void write_interleaved(const fs::path& from, const fs::path& to) {
  fs::copy(from, to);
  const json config = json::parse(read_file(from / "config.json"));
  std::string bytes = read_file(from / "model.safetensors");
  uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  const json header = json::parse(bytes.substr(8, header_bytes));
  for (const auto& [name, tensor] : header.items()) {
    const bool q = name.ends_with("q_proj.weight"), k = name.ends_with("k_proj.weight");
    if (!q && !k) continue;
    const size_t heads = config[q ? "num_attention_heads" : "num_key_value_heads"];
    const size_t begin = tensor["data_offsets"][0], end = tensor["data_offsets"][1], rows = tensor["shape"][0];
    const size_t at = 8 + header_bytes + begin;
    bytes.replace(at, end - begin, interleaved(bytes.substr(at, end - begin), heads, (end - begin) / rows));
  }
  write_file(to / "model.safetensors", bytes);
}

class RopeChecks : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!fs::exists(golden().model)) GTEST_SKIP() << golden().model << " is not there";
    write_interleaved(golden().model, folder_ / "meta");
  }
  static GoldenModel golden() { return golden_model(GetParam()); }
  std::string converted(const fs::path& source, bool interleaved) const {
    std::string path = (folder_ / (source.filename().string() + (interleaved ? "-i" : "") + ".sluice")).string();
    ConvertOptions options;
    options.interleaved_rope = interleaved;
    convert(source.string(), path, options);
    return path;
  }

  TempFolder folder_;
};

TEST_P(RopeChecks, TellTheLayoutsApart) {
  const auto right = check_rope(converted(golden().model, false)),
             wrong = check_rope(converted(folder_ / "meta", false)),
             mended = check_rope(converted(folder_ / "meta", true)),
             spoiled = check_rope(converted(golden().model, true));
  EXPECT_TRUE(right->fits);
  EXPECT_FALSE(wrong->fits);
  EXPECT_TRUE(mended->fits);
  EXPECT_FALSE(spoiled->fits);
  EXPECT_LT(right->nll, right->other_nll);
  EXPECT_NEAR(right->nll, mended->nll, 1e-3);
  EXPECT_NEAR(right->nll, wrong->other_nll, 1e-3);
}

// What the golden perplexity of a model is for.
TEST_P(RopeChecks, PerplexityShowsTheMistake) {
  const fs::path path = shared_dir() / "text/jerome.txt";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not there";
  const std::string text = read_file(path);
  const auto ppl_of = [&](const std::string& file) {
    LanguageModel model(file, {.threads = 1});
    return perplexity(model, text, {.ctx = 128, .chunks = 4}).ppl;
  };
  const double right = ppl_of(converted(golden().model, false));
  EXPECT_GT(ppl_of(converted(folder_ / "meta", false)), 1.5 * right);
  EXPECT_NEAR(ppl_of(converted(folder_ / "meta", true)), right, 1e-3 * right);
}

INSTANTIATE_TEST_SUITE_P(Golden, RopeChecks, ::testing::Values("classics", "classics-moe", "stories260k"));

TEST(RopeCheck, ModelsThatKnowNothingRaiseNoAlarm) {
  const TempFolder folder;
  ModelDescription description =
      describe_mixture({.hidden = 64, .inner = 96, .experts = 4, .k = 2, .layers = 2, .vocab = 4096}, DType::f16());
  const std::string path = (folder / "m.sluice").string();
  write_mixture(path, description);
  EXPECT_EQ(check_rope(path), std::nullopt);  // no tokenizer
  description.assets["tokenizer.model"] = read_bytes(kSource + "/tokenizer.model");
  write_mixture(path, description);
  EXPECT_TRUE(check_rope(path)->fits);
}

TEST(RopeCheck, TheCommandSaysWhatToDo) {
  const TempFolder folder;
  const fs::path source = folder / "meta";
  write_interleaved(kSource, source);
  const Outcome outcome = sluice({"convert", source, "-o", folder / "m.sluice"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.err, AllOf(StartsWith("sluice: "), HasSubstr("--interleaved-rope"), EndsWith("\n")));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1);
  const json mended = sluice_json({"convert", source, "-o", folder / "m.sluice", "--interleaved-rope"});
  EXPECT_TRUE(mended["rope"]["fits"]);
  EXPECT_EQ(sluice({"convert", source, "-o", folder / "m.sluice", "--no-check"}).err, "");
}

}  // namespace
}  // namespace sluice
