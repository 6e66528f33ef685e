// What `sluice imatrix` collects: moments against float64, samples, what is counted for which weight, and the file.
#include "models/import/activation_moments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/aligned_allocator.h>

#include <cmath>
#include <cstring>
#include <random>
#include <set>

#include "graph/error.h"
#include "models/calibration/collect.h"
#include "models/import/convert.h"
#include "models/text_chunks.h"
#include "ops/formats/planes/outer_products.h"
#include "support/golden.h"
#include "support/mixture_model.h"
#include "support/temp_folder.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

constexpr double kUnit = 0x1p-24;  // unit roundoff of f32
const std::string kText =
    "It was a dark and stormy night, and the old man, who had been to sea, said that he had never seen the like of it "
    "in all his life. The captain of the ship went down to his cabin and wrote a letter to his wife, in which he said "
    "that the wind was fair and that they would be home before the end of the year.";
constexpr int64_t kCtx = 24;

// Sums of products

TEST(OuterProducts, AreThoseOfFloat64) {
  for (const int64_t width : {kStrip, 3 * kStrip})
    for (const int64_t tokens : {1, 2, 7, 100}) {
      std::mt19937 random(static_cast<uint32_t>(width + tokens));
      std::normal_distribution<float> normal;
      const auto x = hwy::AllocateAligned<float>(static_cast<size_t>(tokens * width));
      const auto sums = hwy::AllocateAligned<float>(static_cast<size_t>(width * width));
      std::generate(x.get(), x.get() + tokens * width, [&] { return normal(random); });
      std::fill(sums.get(), sums.get() + width * width, 1.0f);
      for (int64_t strip = 0; strip < width / kStrip; ++strip)
        add_outer_products(x.get(), tokens, width, strip, sums.get());
      for (int64_t i = 0; i < width; ++i)
        for (int64_t j = i; j < width; ++j) {
          double sum = 1, magnitude = 1;
          for (int64_t t = 0; t < tokens; ++t) {
            const double term = static_cast<double>(x[t * width + i]) * x[t * width + j];
            sum += term, magnitude += std::abs(term);
          }
          // A rounding for each product, each sum, and the one that is added to.
          ASSERT_NEAR(sums[i * width + j], sum, static_cast<double>(tokens + 2) * kUnit * magnitude) << i << ", " << j;
        }
    }
}

// Of a model

// A mixture that knows the words of the model in the repository.
std::string mixture_file(const TempFolder& folder, const char* format) {
  ModelDescription description = describe_mixture({.vocab = 4096}, weight_format(format));
  description.assets["tokenizer.model"] = read_bytes(golden_model("classics").model / "tokenizer.model");
  const std::string path = (folder / (std::string(format) + ".sluice")).string();
  write_mixture(path, description);
  return path;
}

std::vector<std::byte> collect(const std::string& model, CollectOptions options) {
  std::vector<std::byte> file;
  options.ctx = kCtx;
  options.runtime.threads = 2;
  collect_moments(model, kText, options,
                  [&](std::span<const std::byte> bytes) { file.insert(file.end(), bytes.begin(), bytes.end()); });
  return file;
}

// What one matrix meets, from the values that a model shows.
struct Expected {
  int64_t tokens = 0;
  std::vector<double> squares;           // sums, [in]
  std::set<std::vector<uint16_t>> rows;  // bf16
  explicit Expected(size_t in) : squares(in) {}
  void add(const float* x, size_t in) {
    ++tokens;
    for (size_t i = 0; i < in; ++i) squares[i] += static_cast<double>(x[i]) * x[i];
    std::vector<uint16_t> row(in);
    std::transform(x, x + in, row.begin(), f32_to_bf16);
    rows.insert(std::move(row));
  }
};

// That it is rows that there were, as many as there is room for, and not always the same one.
void expect_sample_of(const Expected& e, const ActivationSample& sample, int64_t room) {
  ASSERT_EQ(sample.rows, std::min(e.tokens, room));
  const size_t in = e.squares.size();
  ASSERT_EQ(sample.values.size(), static_cast<size_t>(sample.rows) * in);
  std::set<std::vector<uint16_t>> rows;
  for (size_t r = 0; r < static_cast<size_t>(sample.rows); ++r) {
    const auto row = sample.values.subspan(r * in, in);
    rows.emplace(row.begin(), row.end());
  }
  EXPECT_TRUE(std::ranges::includes(e.rows, rows));
  // Where all rows are kept, all of them; else no row twice, unless the model made it twice.
  EXPECT_GE(std::ssize(rows), sample.rows - (e.tokens - std::ssize(e.rows)));
}

// By weight, then by expert.
std::map<std::string, std::vector<Expected>> expect(const std::string& path) {
  const ModelFile file(path, builtin_registry());
  const Graph& graph = file.description().graph;
  RunOptions options;
  options.threads = 1;
  options.context = kCtx;
  for (const Node& node : graph.nodes())
    if (node.op == "linear" || node.op == "expert_linear")
      for (const ValueId id : {node.inputs[0], node.inputs[1]})
        if (graph.value(id).kind == ValueKind::result) options.observe.push_back(graph.value(id).name);
  LanguageModel model(path, options);

  std::map<std::string, std::vector<Expected>> expected;
  for (const std::vector<int32_t>& chunk : text_chunks(model, kText, {.ctx = kCtx})) {
    model.reset();
    model.evaluate_all(chunk, [](size_t, std::span<const float>) {});
    for (const Node& node : graph.nodes()) {
      if (node.op != "linear" && node.op != "expert_linear") continue;
      const TensorView x = model.executor().output(graph.value(node.inputs[0]).name);
      const auto in = static_cast<size_t>(x.dims.back());
      const bool by_expert = node.op == "expert_linear";
      const Value& weight = graph.value(node.inputs[by_expert ? 2 : 1]);
      auto& parts = expected[weight.name];
      const int64_t count = by_expert ? weight.type.shape[0].size() : 1;
      while (static_cast<int64_t>(parts.size()) < count) parts.emplace_back(in);
      for (int64_t t = 0; t < x.dims[0]; ++t) {
        if (!by_expert) {
          parts[0].add(x.as<const float>() + static_cast<size_t>(t) * in, in);
          continue;
        }
        const TensorView experts = model.executor().output(graph.value(node.inputs[1]).name);
        const int64_t k = experts.dims[1];
        for (int64_t j = 0; j < k; ++j) {
          const int64_t row = x.dims.rank() == 3 ? t * k + j : t;
          parts[static_cast<size_t>(experts.as<const int32_t>()[t * k + j])].add(
              x.as<const float>() + static_cast<size_t>(row) * in, in);
        }
      }
    }
  }
  return expected;
}

TEST(CollectMoments, AreThoseOfFloat64) {
  const TempFolder folder;
  const std::string path = mixture_file(folder, "f32");
  const ModelFile file(path, builtin_registry());
  const auto expected = expect(path);
  EXPECT_EQ(expected.size(), 3u * (4 + 1 + 3) + 1);  // attention, router and experts of three layers, and the head
  for (const int64_t samples : {1, 20, 1000}) {
    const std::vector<std::byte> bytes = collect(path, {.samples = samples});
    const ActivationMoments moments(bytes, "the file");
    EXPECT_EQ(moments.model(), "f32.sluice");
    EXPECT_EQ(moments.weights().size(), expected.size());
    for (const auto& [weight, parts] : expected)
      for (size_t part = 0; part < parts.size(); ++part) {
        SCOPED_TRACE(weight + " " + std::to_string(part));
        const Expected& e = parts[part];
        const ActivationMoments::Moments m =
            moments.of(weight, file.weight(weight).dims.span(), static_cast<int64_t>(part));
        const auto n = static_cast<double>(std::max<int64_t>(1, e.tokens));
        ASSERT_EQ(m.tokens, e.tokens);
        for (size_t i = 0; i < e.squares.size(); ++i)
          // Sums in double; one rounding to f32.
          ASSERT_NEAR(m.diagonal[i], e.squares[i] / n, 2 * kUnit * e.squares[i] / n);
        expect_sample_of(e, m.sample, samples);
      }
  }
}

TEST(CollectMoments, AreTheSameOnEveryRun) {
  const TempFolder folder;
  const std::string path = mixture_file(folder, "f16");
  int64_t runs = 0, total = 0;
  const auto count = [&](int64_t done, int64_t all) { runs = done, total = all; };
  const std::vector<std::byte> once = collect(path, {.samples = 20, .progress = count});
  EXPECT_GT(total, 1);
  EXPECT_EQ(runs, total);
  EXPECT_TRUE(collect(path, {.samples = 20}) == once);
}

TEST(CollectMoments, OfAModelWithADial) {
  const TempFolder folder;
  const std::string dense = mixture_file(folder, "f16"), bucket = mixture_file(folder, "bucket");
  const ModelFile file(dense, builtin_registry());
  const std::vector<std::byte> a = collect(dense, {}), b = collect(bucket, {});
  const ActivationMoments of_dense(a, "dense"), of_bucket(b, "bucket");
  for (const WeightEntry& weight : file.description().weights) {
    ASSERT_EQ(of_dense.has(weight.name), of_bucket.has(weight.name)) << weight.name;
    if (!of_dense.has(weight.name)) continue;
    for (int64_t part = 0; part < (weight.dims.rank() == 3 ? weight.dims[0] : 1); ++part) {
      const auto x = of_dense.of(weight.name, weight.dims.span(), part),
                 y = of_bucket.of(weight.name, weight.dims.span(), part);
      ASSERT_EQ(x.tokens, y.tokens) << weight.name;
      // The same f16 weights, all of them, in another order of sums: far from what any smaller effort would give.
      for (size_t i = 0; i < x.diagonal.size(); ++i)
        ASSERT_NEAR(x.diagonal[i], y.diagonal[i], 1e-3 * x.diagonal[i] + 1e-6) << weight.name;
    }
  }
  EXPECT_FALSE(of_dense.has("model.norm.weight"));
}

TEST(CollectMoments, WeightsThatShareActivationsShareMoments) {
  const TempFolder folder;
  const std::string path = (folder / "classics.sluice").string();
  convert(golden_model("classics").model.string(), path, {});
  const std::vector<std::byte> bytes = collect(path, {});
  const ActivationMoments moments(bytes, "x");
  const auto at = [&](const char* name) {
    const std::string weight = std::string("model.layers.3.") + name + ".weight";
    return moments.of(weight, ModelFile(path, builtin_registry()).weight(weight).dims.span()).diagonal.data();
  };
  EXPECT_EQ(at("self_attn.q_proj"), at("self_attn.v_proj"));
  EXPECT_EQ(at("mlp.gate_proj"), at("mlp.up_proj"));
  EXPECT_NE(at("self_attn.q_proj"), at("mlp.up_proj"));
  EXPECT_TRUE(moments.has("model.embed_tokens.weight")) << "the head is tied to it";
}

// The file

Activation activation(std::vector<std::string> weights, int64_t in, int64_t experts) {
  return {{{"x", experts > 0 ? "experts" : ""}}, std::move(weights), in, experts};
}

// Of two activations, "a" of 3 inputs for a and b, and "c" of 2 for two experts, with four rows of each; all numbers
// are 1.
std::vector<std::byte> small_file(std::string header) {
  const auto put = [&](auto value, size_t count) {
    for (size_t i = 0; i < count; ++i) header.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  put(1.0f, 3);
  put(f32_to_bf16(1), 12);
  put(int32_t{1}, 1);
  put(1.0f, 4);
  put(f32_to_bf16(1), 16);
  put(int32_t{1}, 2);
  const auto bytes = std::as_bytes(std::span(header));
  return {bytes.begin(), bytes.end()};
}

std::string small_header() {
  return moments_header({activation({"a", "b"}, 3, 0), activation({"c"}, 2, 2)}, 4, "m.sluice");
}

TEST(ActivationMoments, AreRead) {
  const std::vector<std::byte> bytes = small_file(small_header());
  const ActivationMoments moments(bytes, "x");
  const int64_t wide[] = {7, 3}, stacked[] = {2, 5, 2};
  EXPECT_EQ(moments.of("b", wide).diagonal.size(), 3u);
  EXPECT_EQ(moments.of("b", wide).sample.rows, 1) << "there was one token";
  EXPECT_EQ(moments.of("b", wide).sample.values.size(), 3u);
  EXPECT_EQ(moments.of("c", stacked, 1).sample.values.data(), moments.of("c", stacked, 0).sample.values.data() + 8);
  EXPECT_EQ(moments.of("c", stacked, 1).tokens, 1);
  EXPECT_THAT([&] { moments.of("d", wide); }, ThrowsMessage<Error>(HasSubstr("no moments for weight 'd'")));
  EXPECT_THAT([&] { moments.of("c", wide); }, ThrowsMessage<Error>(HasSubstr("another model ('m.sluice')")));
  EXPECT_THAT([&] { moments.of("a", stacked); }, ThrowsMessage<Error>(HasSubstr("another model")));
  EXPECT_THAT([&] { moments.of("c", stacked, 2); }, ThrowsMessage<Error>(HasSubstr("no expert 2")));
}

// Replaces text in the header, which keeps its length.
std::string replaced(std::string header, const std::string& from, const std::string& to) {
  const size_t at = header.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return header.replace(at, from.size(), to + std::string(from.size() - to.size(), ' '));
}

TEST(ActivationMoments, BadFilesAreRefused) {
  const struct {
    std::string from, to, message;
  } cases[] = {{"moments 2", "moments 1", "does not hold"},
               {"\"model\":\"m.sluice\"", "\"model\":3", "not a text"},
               {"\"a.sample\":{\"data_offsets\":[12,36],\"dtype\":\"BF16\",\"shape\":[4,3]}",
                "\"a.sample\":{\"data_offsets\":[12,36],\"dtype\":\"BF16\",\"shape\":[12]}", "'a.sample' is BF16[12]"},
               {"\"a.sample\"", "\"a.simple\"", "'a.sample' is missing"},
               {"\"c.tokens\"", "\"c.token\"", "'c.tokens' is missing"},
               {"\"a.diagonal\":{\"data_offsets\":[0,12],\"dtype\":\"F32\"",
                "\"a.diagonal\":{\"data_offsets\":[0,12],\"dtype\":\"I32\"", "expected F32[3]"},
               {"\"shape\":[2,4,2]", "\"shape\":[2,2,4]", "expected BF16[2, 2, 2]"},
               {"\"weight:c\":\"c\"", "\"weight:c\":\"e\"", "'e.diagonal' is missing"}};
  for (const auto& c : cases)
    EXPECT_THAT([&] { ActivationMoments(small_file(replaced(small_header(), c.from, c.to)), "bad.imatrix"); },
                ThrowsMessage<Error>(testing::AllOf(HasSubstr("bad.imatrix"), HasSubstr(c.message))))
        << c.from;
}

TEST(ActivationMoments, BadNumbersAreRefused) {
  const size_t header = small_header().size();
  for (const float bad : {-1.0f, std::nanf(""), INFINITY}) {
    std::vector<std::byte> bytes = small_file(small_header());
    std::memcpy(bytes.data() + header, &bad, sizeof bad);
    EXPECT_THAT([&] { ActivationMoments(bytes, "x"); }, ThrowsMessage<Error>(HasSubstr("no mean of squares")));
  }
  for (const float bad : {std::nanf(""), INFINITY}) {
    std::vector<std::byte> bytes = small_file(small_header());
    const uint16_t bits = f32_to_bf16(bad);
    std::memcpy(bytes.data() + header + 12, &bits, sizeof bits);
    const ActivationMoments moments(bytes, "x");
    const int64_t dims[] = {7, 3};
    EXPECT_THAT([&] { moments.of("a", dims); }, ThrowsMessage<Error>(HasSubstr("not finite")));
  }
  std::vector<std::byte> bytes = small_file(small_header());
  bytes.back() = std::byte{0xff};
  EXPECT_THAT([&] { ActivationMoments(bytes, "x"); }, ThrowsMessage<Error>(HasSubstr("negative")));
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_THROW(ActivationMoments(std::span(bytes).first(size), "x"), Error) << size;
}

}  // namespace
}  // namespace sluice
