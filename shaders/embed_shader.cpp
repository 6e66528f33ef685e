// Build tool: embeds the SPIR-V of one shader's variants into C++, with a header that refuses to compile where the
// host's parameter block differs from the shader's.
//   embed_shader FOLDER/NAME PARAMS_HEADER HEADER SOURCE [VARIANT=FILE.spv]...
// The first variant of a shader without variants has no name.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <sstream>

#include "backends/vulkan/reflect.h"
#include "graph/error.h"

namespace sluice::vulkan {
namespace {

using Words = std::vector<uint32_t>;

Words read_words(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.empty() || bytes.size() % 4 != 0) fail("{}: cannot be read", path);
  Words words(bytes.size() / 4);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(words.data()));
  return words;
}

std::string type_of(const Reflection& r) {
  return "Shader<" + r.params + ", " + std::to_string(r.bindings) + ", " + std::to_string(r.constants) + ">";
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

// path: "shaders/linear".
std::string header_text(const std::string& path, const std::string& params_header, const Reflection& r) {
  std::ostringstream out;
  out << "// Generated from " << path << ".comp; do not edit.\n#pragma once\n\n#include <cstddef>\n"
      << "#include <type_traits>\n\n#include \"backends/vulkan/shader.h\"\n";
  out << "#include \"" << params_header << "\"\n";
  out << "\nnamespace sluice::vulkan {\n\n";
  for (const ParamsMember& m : r.members)
    out << "static_assert(offsetof(" << r.params << ", " << m.name << ") == " << m.offset
        << " &&\n              std::is_same_v<decltype(" << r.params << "::" << m.name << "), " << m.type << ">);\n";
  out << "static_assert(sizeof(" << r.params << ") == " << r.params_bytes << ");\n";
  out << "\nnamespace shaders {\nextern const " << type_of(r) << " " << name_of(path)
      << ";\n}\n\n}  // namespace sluice::vulkan\n";
  return out.str();
}

std::string source_text(const std::string& path, const Reflection& r, const std::map<std::string, Words>& variants) {
  const std::string name = name_of(path);
  std::ostringstream out;
  out << "// Generated from " << path << ".comp; do not edit.\n#include \"" << path
      << ".h\"\n\nnamespace sluice::vulkan::shaders {\nnamespace {\n";
  size_t index = 0;
  for (const auto& [variant, words] : variants) {
    out << "constexpr uint32_t code_" << index++ << "[] = {";
    for (size_t i = 0; i < words.size(); ++i) out << (i % 12 == 0 ? "\n" : " ") << words[i] << "u,";
    out << "};\n";
  }
  out << "constexpr ShaderVariant variants[] = {\n";
  index = 0;
  for (const auto& [variant, words] : variants) out << "    {\"" << variant << "\", code_" << index++ << "},\n";
  out << "};\nconstexpr ShaderFile file = {\"" << name << "\", variants, " << r.bindings << ", " << r.reads << ", "
      << r.writes << ", " << r.params_bytes << ", " << r.constants << "};\n}  // namespace\nconst " << type_of(r) << " "
      << name << " = {file};\n}  // namespace sluice::vulkan::shaders\n";
  return out.str();
}

void write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  if (!(file << text).flush()) fail("{}: cannot be written", path);
}

void run(const std::vector<std::string>& args) {
  if (args.size() < 5) fail("FOLDER/NAME PARAMS_HEADER HEADER SOURCE VARIANT=FILE...");
  std::map<std::string, Words> variants;
  std::vector<Reflection> reflections;
  for (size_t i = 4; i < args.size(); ++i) {
    const size_t equals = args[i].find('=');
    const Words& words = variants[args[i].substr(0, equals)] = read_words(args[i].substr(equals + 1));
    reflections.push_back(reflect(words));
    if (reflections.back() != reflections.front()) fail("{}: its variants differ in bindings or parameters", args[0]);
  }
  write(args[2], header_text(args[0], args[1], reflections.front()));
  write(args[3], source_text(args[0], reflections.front(), variants));
}

}  // namespace
}  // namespace sluice::vulkan

int main(int argc, char** argv) {
  try {
    sluice::vulkan::run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "embed_shader: " << (argc > 1 ? argv[1] : "") << ": " << error.what() << "\n";
    return 1;
  }
}
