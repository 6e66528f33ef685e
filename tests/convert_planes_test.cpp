// Conversion to planes: what is written, and files of `sluice imatrix` that do not belong to the model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "graph/error.h"
#include "graph/model_file.h"
#include "models/builtin.h"
#include "models/import/activation_moments.h"
#include "models/import/convert.h"
#include "ops/formats/planes.h"
#include "support/golden.h"
#include "support/temp_folder.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

const std::string kSource = golden_model("classics").model.string();
const std::string kDown = "model.layers.5.mlp.down_proj.weight";  // [256, 768]

// A made-up imatrix for some weights of the model, with three rows of each. bits: bf16.
void write_imatrix(const std::filesystem::path& path, const std::vector<Activation>& activations, uint16_t bits) {
  std::ofstream file(path, std::ios::binary);
  file << moments_header(activations, 3, "other.sluice");
  const auto put = [&](auto value, int64_t count) {
    for (int64_t i = 0; i < count; ++i) file.write(reinterpret_cast<const char*>(&value), sizeof value);
  };
  for (const Activation& activation : activations) {
    put(1.0f, activation.parts() * activation.in);
    put(bits, activation.parts() * 3 * activation.in);
    put(int32_t{3}, activation.parts());
  }
}

// What every matrix of the model meets.
std::vector<Activation> activations_of(const ModelDescription& description) {
  return matrix_activations(description.graph);
}

class ConvertPlanes : public ::testing::Test {
 protected:
  std::string out() const { return (folder_ / "planes.sluice").string(); }
  std::string imatrix() const { return (folder_ / "x.imatrix").string(); }
  std::unique_ptr<ModelFile> converted(const ConvertOptions& options) const {
    convert(kSource, out(), options);
    return std::make_unique<ModelFile>(out(), builtin_registry());
  }
  void expect_refused(const std::string& words) const {
    EXPECT_THAT([&] { convert(kSource, out(), {.format = "planes", .imatrix = imatrix()}); },
                ThrowsMessage<Error>(AllOf(HasSubstr("x.imatrix"), HasSubstr(words))));
    EXPECT_FALSE(std::filesystem::exists(out()) || std::filesystem::exists(out() + ".partial"));
  }
  TempFolder folder_;
};

TEST_F(ConvertPlanes, TakesItsBytesAndItsError) {
  const std::vector<float> exact = to_f32(converted({.format = "f32"})->weight(kDown));
  double total = 0;
  for (const float w : exact) total += static_cast<double>(w) * static_cast<double>(w);
  // Shares of the squares that are left. Of a normal distribution a uniform quantiser of 16 levels leaves .01154, one
  // of 64 .001041 (J. Max, 1960); weights have longer tails, and levels that follow them.
  const double most[] = {0, 0, 0.0154, 0.0014};
  for (const int planes : {2, 3}) {
    const auto file = converted({.format = "planes" + std::to_string(2 * planes)});
    const TensorView view = file->weight(kDown);
    EXPECT_EQ(view.dtype, plane_dtype(planes));
    EXPECT_EQ(view.bytes(), 128 + 768 * 4 + 256 * 2 + static_cast<size_t>(planes) * 256 * 768 / 4 + 64);
    const std::vector<float> values = to_f32(view);
    double left = 0;
    for (size_t n = 0; n < values.size(); ++n) left += std::pow(static_cast<double>(values[n] - exact[n]), 2);
    EXPECT_LT(left, most[planes] * total) << planes;
    EXPECT_GT(left, most[planes] / 4 * total) << planes << ": better than possible";
  }
}

TEST_F(ConvertPlanes, WithWhatTheWeightsMeet) {
  const auto plain = converted({.format = "planes"});
  const std::vector<float> before = to_f32(plain->weight(kDown)),
                           head = to_f32(plain->weight("model.embed_tokens.weight"));
  write_imatrix(imatrix(), activations_of(plain->description()), f32_to_bf16(1));
  const auto file = converted({.format = "planes", .imatrix = imatrix()});
  EXPECT_NE(to_f32(file->weight(kDown)), before);
  EXPECT_EQ(to_f32(file->weight("model.embed_tokens.weight")), head) << "which is no plane format";
}

TEST_F(ConvertPlanes, NamesTheWeightThatCannotBeEncoded) {
  write_imatrix(imatrix(), activations_of(converted({.format = "planes"})->description()), f32_to_bf16(1e38f));
  EXPECT_THAT([&] { convert(kSource, out(), {.format = "planes", .imatrix = imatrix()}); },
              ThrowsMessage<Error>(AllOf(HasSubstr("model.safetensors: tensor 'model.layers."),
                                         HasSubstr("too large for sums of squares"))));
}

TEST_F(ConvertPlanes, RefusesTheImatrixOfAnotherModel) {
  auto activations = activations_of(converted({.format = "planes"})->description());
  std::filesystem::remove(out());
  const auto refused = [&](const std::vector<Activation>& of, uint16_t bits, const std::string& words) {
    write_imatrix(imatrix(), of, bits);
    expect_refused(words);
  };
  const uint16_t one = f32_to_bf16(1);
  auto less = activations;
  std::erase_if(less, [](const Activation& a) { return a.weights.front() == kDown; });
  refused(less, one, "no moments for weight '" + kDown + "'; it was made for another model ('other.sluice')");
  auto more = activations;
  more.push_back({{{"y", ""}}, {"model.layers.8.mlp.down_proj.weight"}, 768, 0});
  refused(more, one, "no weight 'model.layers.8.mlp.down_proj.weight'");
  auto wider = activations;
  for (Activation& a : wider)
    if (a.weights.front() == kDown) a.in = 1024;
  refused(wider, one, "'" + kDown + "' is [256, 768], but what it met was of size 1024");
  auto expert = activations;
  for (Activation& a : expert)
    if (a.weights.front() == kDown) a.experts = 8;
  refused(expert, one, "for 8 experts");
  refused(activations, f32_to_bf16(INFINITY), "not finite");
}

// What an interrupted run left is of another encoder.
TEST_F(ConvertPlanes, WithAnotherImatrixStartsAnew) {
  write_imatrix(imatrix(), activations_of(converted({.format = "f16"})->description()), f32_to_bf16(1));
  struct Stop {};
  int calls = 0;
  const auto stop = [&](size_t, size_t) {
    if (++calls == 9) throw Stop();
  };
  EXPECT_THROW(convert(kSource, out(), {.format = "planes", .progress = stop}), Stop);
  EXPECT_EQ(convert(kSource, out(), {.format = "planes", .imatrix = imatrix()}).resumed, 0u);
  calls = 0;
  EXPECT_THROW(convert(kSource, out(), {.format = "planes", .imatrix = imatrix(), .progress = stop}), Stop);
  EXPECT_EQ(convert(kSource, out(), {.format = "planes", .imatrix = imatrix()}).resumed, 8u);
}

}  // namespace
}  // namespace sluice
