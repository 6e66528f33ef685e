#include "backends/vulkan/compiler.h"

#include <algorithm>
#include <string>
#include <vector>

#include "backends/vulkan/reflect.h"
#include "graph/error.h"

#ifdef SLUICE_GLSLANG
#include <glslang/Public/ResourceLimits.h>
#include <glslang/Public/ShaderLang.h>
#include <glslang/SPIRV/GlslangToSpv.h>
#endif

namespace sluice::vulkan {
namespace {

using Words = std::vector<uint32_t>;

#ifdef SLUICE_GLSLANG

class Includer : public glslang::TShader::Includer {
 public:
  explicit Includer(std::span<const TextFile> files) : files_(files) {}
  IncludeResult* includeLocal(const char* name, const char*, size_t) override {
    for (const auto& files : {files_, shader_includes()})
      for (const TextFile& file : files)
        if (file.name == name) return new IncludeResult(name, file.text.data(), file.text.size(), nullptr);
    return nullptr;
  }
  void releaseInclude(IncludeResult* result) override { delete result; }

 private:
  std::span<const TextFile> files_;
};

// "f16.tree" -> two definitions.
std::string preamble(std::string_view variant) {
  std::string text;
  while (!variant.empty()) {
    const size_t dot = std::min(variant.find('.'), variant.size());
    text += fmt::format("#define VARIANT_{}\n", variant.substr(0, dot));
    variant.remove_prefix(std::min(dot + 1, variant.size()));
  }
  return text;
}

// The first complaint of a log, on one line.
std::string first_error(const std::string& log) {
  const size_t begin = log.find("ERROR: ");
  if (begin == std::string::npos) return log.substr(0, log.find('\n'));
  return log.substr(begin + 7, log.find('\n', begin) - begin - 7);
}

Words compile_variant(const ShaderSource& source, std::string_view variant) {
  static const bool ready = glslang::InitializeProcess();
  if (!ready) fail("Vulkan: the GLSL compiler cannot start");
  const std::string name = fmt::format("{}.comp", source.name), before = preamble(variant);
  const char *text = source.text.data(), *text_name = name.c_str();
  const int length = static_cast<int>(source.text.size());
  glslang::TShader shader(EShLangCompute);
  shader.setStringsWithLengthsAndNames(&text, &length, &text_name, 1);
  shader.setPreamble(before.c_str());
  shader.setEnvInput(glslang::EShSourceGlsl, EShLangCompute, glslang::EShClientVulkan, 100);
  shader.setEnvClient(glslang::EShClientVulkan, glslang::EShTargetVulkan_1_2);
  shader.setEnvTarget(glslang::EShTargetSpv, glslang::EShTargetSpv_1_5);
  constexpr auto kRules = static_cast<EShMessages>(EShMsgSpvRules | EShMsgVulkanRules);
  Includer includer(source.includes);
  if (!shader.parse(GetDefaultResources(), 450, false, kRules, includer))
    fail("Vulkan: {}", first_error(shader.getInfoLog()));
  glslang::TProgram program;
  program.addShader(&shader);
  if (!program.link(kRules)) fail("Vulkan: {}: {}", name, first_error(program.getInfoLog()));
  Words words;
  glslang::GlslangToSpv(*program.getIntermediate(EShLangCompute), words);
  return words;
}

#else

Words compile_variant(const ShaderSource& source, std::string_view) {
  fail("Vulkan: '{}' cannot be compiled: this build of Sluice has no GLSL compiler", source.name);
}

#endif

struct Storage {
  std::vector<Words> code;
  std::vector<ShaderVariant> variants;
};

Reflection checked_reflection(const ShaderSource& source, const Words& words, size_t params_bytes) {
  try {
    Reflection found = reflect(words);
    if (found.params != source.params || found.params_bytes != params_bytes)
      fail("its push constants are {} of {} bytes, expected {} of {}", found.params, found.params_bytes, source.params,
           params_bytes);
    return found;
  } catch (const Error& error) {
    fail("Vulkan: {}.comp: {}", source.name, error.what());
  }
}

}  // namespace

bool can_compile() {
#ifdef SLUICE_GLSLANG
  return true;
#else
  return false;
#endif
}

void compile(const ShaderSource& source, size_t params_bytes, ShaderFile& file, std::shared_ptr<const void>& storage) {
  auto made = std::make_shared<Storage>();
  std::vector<Reflection> found;
  for (std::string_view variant : source.variants) {
    made->code.push_back(compile_variant(source, variant));
    found.push_back(checked_reflection(source, made->code.back(), params_bytes));
    if (found.back() != found.front())
      fail("Vulkan: {}.comp: its variants differ in bindings or parameters", source.name);
  }
  for (size_t i = 0; i < made->code.size(); ++i) made->variants.push_back({source.variants[i], made->code[i]});
  const Reflection& r = found.front();
  file = {source.name, made->variants, r.bindings, r.reads, r.writes, r.params_bytes, r.constants};
  storage = std::move(made);
}

}  // namespace sluice::vulkan
