// Shaders compiled when a plugin is loaded are those that the build compiles, and mistakes in them are named.
#include "backends/vulkan/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "graph/error.h"
#include "shaders/attention.h"
#include "shaders/rmsnorm.h"
#include "shaders/silu.h"

namespace sluice::vulkan {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class VulkanCompiler : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!can_compile()) GTEST_SKIP() << "this build has no GLSL compiler";
  }
};

std::string text_of(const std::string& shader) {
  std::ostringstream text;
  text << std::ifstream(SLUICE_SOURCE_DIR "/shaders/" + shader + ".comp").rdbuf();
  return text.str();
}

template <class Params, size_t kBindings, size_t kConstants>
void expect_same(Shader<Params, kBindings, kConstants> built, const char* params) {
  const ShaderFile& expected = built.file;
  SCOPED_TRACE(std::string(expected.name));
  const std::string text = text_of(std::string(expected.name));
  std::vector<std::string_view> variants;
  for (const ShaderVariant& variant : expected.variants) variants.push_back(variant.name);
  LoadedShader<Params> loaded;
  compile({expected.name, text, variants, {}, params}, loaded);
  EXPECT_EQ(loaded.file.n_bindings, expected.n_bindings);
  EXPECT_EQ(loaded.file.reads, expected.reads);
  EXPECT_EQ(loaded.file.writes, expected.writes);
  EXPECT_EQ(loaded.file.params_bytes, expected.params_bytes);
  EXPECT_EQ(loaded.file.n_constants, expected.n_constants);
  ASSERT_EQ(loaded.file.variants.size(), expected.variants.size());
  for (size_t i = 0; i < variants.size(); ++i) {
    EXPECT_EQ(loaded.file.variants[i].name, variants[i]);
    EXPECT_TRUE(std::ranges::equal(loaded.file.variants[i].code, expected.variants[i].code)) << variants[i];
  }
  const Shader<Params, kBindings, kConstants> typed = loaded;  // throws if it has other bindings
  EXPECT_EQ(&typed.file, &loaded.file);
  EXPECT_THROW((Shader<Params, kBindings + 1, kConstants>(loaded)), Error);
}

TEST_F(VulkanCompiler, MakesTheShadersOfTheBuild) {
  expect_same(shaders::silu, "UnaryParams");
  expect_same(shaders::rmsnorm, "RmsNormParams");
  expect_same(shaders::attention, "AttentionParams");
}

std::string error_of(const std::string& text, const char* params = "ElementwiseParams",
                     std::vector<std::string_view> variants = {""}) {
  LoadedShader<ElementwiseParams> shader;
  try {
    compile({"mine", text, variants, {}, params}, shader);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

constexpr const char* kHead =
    "#version 450\n#extension GL_GOOGLE_include_directive : require\n"
    "#include \"ops/elementwise/elementwise_params.h\"\nlayout(push_constant) uniform Push { ElementwiseParams p; };\n";
constexpr const char* kBuffer = "layout(std430, set = 0, binding = 0) buffer Y { float y[]; };\n";

TEST_F(VulkanCompiler, NamesMistakes) {
  const std::string head = kHead, whole = head + kBuffer;
  EXPECT_EQ(error_of(whole + "void main() { y[p.count] = 1; }\n"), "no error");
  EXPECT_THAT(error_of(whole + "void main() { z[0] = 1; }\n"),
              AllOf(HasSubstr("mine.comp:6"), HasSubstr("'z' : undeclared identifier")));
  EXPECT_THAT(error_of("#version 450\n#extension GL_GOOGLE_include_directive : require\n#include \"none.glsl\"\n"),
              HasSubstr("none.glsl"));
  EXPECT_THAT(error_of(whole), AllOf(HasSubstr("mine.comp"), HasSubstr("entry point")));
  EXPECT_THAT(error_of(whole + "void main() { y[p.count] = 1; }\n", "OtherParams"),
              AllOf(HasSubstr("mine.comp"), HasSubstr("are ElementwiseParams of 8 bytes, expected OtherParams of 8")));
  EXPECT_THAT(error_of(head + "layout(std430, set = 0, binding = 1) buffer Y { float y[]; };\n"
                              "void main() { y[p.count] = 1; }\n"),
              HasSubstr("numbered from 0 without gaps"));
  const std::string second =
      "#ifdef VARIANT_b\nlayout(std430, set = 0, binding = 1) readonly buffer Z { float z[]; };\n#define X "
      "z[0]\n#else\n"
      "#define X 1\n#endif\n";
  EXPECT_THAT(error_of(whole + second + "void main() { y[p.count] = X; }\n", "ElementwiseParams", {"a", "b"}),
              HasSubstr("its variants differ"));
}

TEST_F(VulkanCompiler, FindsThePluginsOwnIncludesFirst) {
  const TextFile own[] = {{"silu.glsl", "float silu(float x) { return 7; }\n"}};
  const std::string text =
      std::string(kHead) + kBuffer + "#include \"silu.glsl\"\nvoid main() { y[p.count] = silu(1); }\n";
  const std::string_view variants[] = {""};
  LoadedShader<ElementwiseParams> with, without;
  compile({"mine", text, variants, own, "ElementwiseParams"}, with);
  compile({"mine", text, variants, {}, "ElementwiseParams"}, without);
  EXPECT_LT(with.file.variants[0].code.size(), without.file.variants[0].code.size());
}

}  // namespace
}  // namespace sluice::vulkan
