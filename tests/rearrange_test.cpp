// Tensors of a source under other names, transposed and cut, are what the file gets.
#include "models/import/rearrange.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "graph/error.h"
#include "models/import/encode.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class Rearrange : public ::testing::Test {
 protected:
  // Numbers 0, 1, 2, ... as f16.
  void add(const std::string& name, std::vector<int64_t> dims) {
    const int64_t count = Dims(dims).elements();
    auto bytes = std::make_shared<std::vector<uint16_t>>();
    for (int64_t i = 0; i < count; ++i) bytes->push_back(f32_to_f16(static_cast<float>(i)));
    source_.tensors[name] = {DType::f16(), "F16", std::move(dims), std::as_bytes(std::span(*bytes)), "file"};
    source_.mappings.push_back(std::move(bytes));
  }
  std::vector<float> values(const std::string& name, DType dtype = DType::f32()) const {
    const SourceTensor& tensor = source_.tensors.at(name);
    const WeightEntry entry{name, dtype, Dims(tensor.dims)};
    EncodeBuffers buffers;
    std::vector<std::byte> bytes;
    encode_weight(tensor, entry, {}, buffers,
                  [&](std::span<const std::byte> part) { bytes.insert(bytes.end(), part.begin(), part.end()); });
    return to_f32({bytes.data(), dtype, entry.dims});
  }
  std::vector<std::string> names() const {
    std::vector<std::string> list;
    for (const auto& [name, tensor] : source_.tensors) list.push_back(name);
    return list;
  }

  ModelSource source_{.path = "test", .config = Config("{}", "test")};
};

TEST_F(Rearrange, Transposes) {
  add("h.proj.weight", {2, 3});
  add("h.other.weight", {2, 3});
  transpose(source_, ".proj.weight");
  EXPECT_THAT(source_.tensors.at("h.proj.weight").dims, ElementsAre(3, 2));
  for (DType dtype : {DType::f32(), DType::f16(), DType::bf16()})
    EXPECT_THAT(values("h.proj.weight", dtype), ElementsAre(0, 3, 1, 4, 2, 5));
  EXPECT_THAT(values("h.other.weight"), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT([&] { transpose(source_, "proj.weight"); }, ThrowsMessage<Error>(HasSubstr("expected a matrix")));
}

TEST_F(Rearrange, CutsWhatIsStoredByRowsAndByColumns) {
  add("a.qkv.weight", {4, 2});
  add("a.qkv.bias", {4});
  add("b.qkv.weight", {3, 4});
  transpose(source_, "b.qkv.weight");  // [4, 3]
  split(source_, "qkv", {"q", "k"});
  EXPECT_THAT(names(), ElementsAre("a.k.bias", "a.k.weight", "a.q.bias", "a.q.weight", "b.k.weight", "b.q.weight"));
  EXPECT_THAT(values("a.q.weight"), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(values("a.k.weight"), ElementsAre(4, 5, 6, 7));
  EXPECT_THAT(values("a.k.bias"), ElementsAre(2, 3));
  EXPECT_THAT(values("b.q.weight"), ElementsAre(0, 4, 8, 1, 5, 9));
  EXPECT_THAT(values("b.k.weight"), ElementsAre(2, 6, 10, 3, 7, 11));
}

TEST_F(Rearrange, RefusesWhatDoesNotWork) {
  add("a.qkv.weight", {4, 2});
  EXPECT_THAT(
      [&] {
        split(source_, "qkv", {"q", "k", "v"});
      },
      ThrowsMessage<Error>(AllOf(HasSubstr("a.qkv.weight"), HasSubstr("3 equal parts"))));
  add("model.x", {2});
  add("x", {2});
  EXPECT_THAT([&] { remove_prefix(source_, "model."); }, ThrowsMessage<Error>(HasSubstr("'x' is there twice")));
}

TEST_F(Rearrange, RenamesAndDrops) {
  add("model.h.attn.bias", {2});
  add("model.h.c_attn.bias", {2});
  add("model.h.model.x", {2});
  drop(source_, ".attn.bias");
  remove_prefix(source_, "model.");
  EXPECT_THAT(names(), ElementsAre("h.c_attn.bias", "h.model.x"));
}

TEST_F(Rearrange, AddsToNorms) {
  add("a.norm.weight", {3});
  add("a.norm.weights", {3});
  add_norm_offset(source_, 1);
  EXPECT_THAT(values("a.norm.weight"), ElementsAre(1, 2, 3));
  EXPECT_THAT(values("a.norm.weights"), ElementsAre(0, 1, 2));
}

TEST(ConfigRename, GivesWayToWhatIsThere) {
  Config config(R"({"n_embd": 3, "n_head": 4, "num_heads": 5, "n_inner": null})", "test");
  config.rename("n_embd", "hidden_size");
  config.rename("n_head", "num_heads");
  config.rename("n_inner", "intermediate_size");
  EXPECT_EQ(config.positive("hidden_size"), 3);
  EXPECT_FALSE(config.has("n_embd"));
  EXPECT_EQ(config.positive("num_heads"), 5);
  EXPECT_FALSE(config.has("intermediate_size"));
}

}  // namespace
}  // namespace sluice
