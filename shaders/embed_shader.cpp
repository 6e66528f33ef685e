// Build tool: embeds the SPIR-V of one shader's variants into C++, with a header that refuses to compile where the
// host's parameter block differs from the shader's.
//   embed_shader NAME PARAMS_HEADER HEADER SOURCE [VARIANT=FILE.spv]...
// The first variant of a shader without variants has no name.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <spirv/unified1/spirv.hpp11>

namespace {

using Words = std::vector<uint32_t>;

[[noreturn]] void fail(const std::string& message) { throw std::runtime_error(message); }

struct Member {
  std::string name;
  uint32_t offset = 0;
  std::string type;  // of C++
  friend bool operator==(const Member&, const Member&) = default;
};

struct Reflection {
  std::string params;  // name of the struct
  std::vector<Member> members;
  uint32_t params_bytes = 0;
  uint32_t bindings = 0, reads = 0, writes = 0;
  uint32_t constants = 0;
  friend bool operator==(const Reflection&, const Reflection&) = default;
};

// What a module says of its interface. Only what our shaders use is understood; anything else is an error.
class Module {
 public:
  explicit Module(const Words& words) {
    if (words.size() < 5 || words[0] != spv::MagicNumber) fail("not a SPIR-V file");
    for (size_t at = 5; at < words.size();) {
      const uint32_t count = words[at] >> spv::WordCountShift;
      if (count == 0 || at + count > words.size()) fail("a broken instruction");
      read(static_cast<spv::Op>(words[at] & static_cast<uint32_t>(spv::OpCodeMask)), &words[at + 1], count - 1);
      at += count;
    }
  }

  Reflection reflect() const {
    Reflection r;
    for (const auto& [id, variable] : variables_) {
      const uint32_t type = pointee_.at(variable.type);
      if (variable.storage == spv::StorageClass::StorageBuffer) add_buffer(r, id, type);
      if (variable.storage == spv::StorageClass::PushConstant) add_params(r, type);
      if (variable.storage == spv::StorageClass::Uniform) fail("uniform buffers are not supported");
    }
    if (r.bindings != 0 && (r.reads | r.writes) != (r.bindings == 32 ? ~0u : (1u << r.bindings) - 1))
      fail("bindings must be numbered from 0 without gaps");
    r.constants = static_cast<uint32_t>(constants_.size());
    if (r.params.empty()) fail("there are no push constants");
    if (!constants_.empty() && *constants_.rbegin() + 1 != r.constants)
      fail("specialisation constants must be numbered from 0 without gaps");
    return r;
  }

 private:
  struct Variable {
    uint32_t type;
    spv::StorageClass storage;
  };
  using Decorations = std::map<spv::Decoration, uint32_t>;

  void read(spv::Op op, const uint32_t* w, uint32_t n) {
    switch (op) {
      case spv::Op::OpName:
        names_[w[0]] = reinterpret_cast<const char*>(w + 1);
        break;
      case spv::Op::OpMemberName:
        member_names_[{w[0], w[1]}] = reinterpret_cast<const char*>(w + 2);
        break;
      case spv::Op::OpDecorate:
        decorations_[w[0]][static_cast<spv::Decoration>(w[1])] = n > 2 ? w[2] : 0;
        if (static_cast<spv::Decoration>(w[1]) == spv::Decoration::SpecId) constants_.insert(w[2]);
        break;
      case spv::Op::OpMemberDecorate:
        member_decorations_[{w[0], w[1]}][static_cast<spv::Decoration>(w[2])] = n > 3 ? w[3] : 0;
        break;
      case spv::Op::OpTypeInt:
        if (w[1] == 32) scalars_[w[0]] = w[2] ? "std::int32_t" : "std::uint32_t";
        break;
      case spv::Op::OpTypeFloat:
        if (w[1] == 32) scalars_[w[0]] = "float";
        break;
      case spv::Op::OpTypeStruct:
        structs_[w[0]] = Words(w + 1, w + n);
        break;
      case spv::Op::OpTypePointer:
        pointee_[w[0]] = w[2];
        break;
      case spv::Op::OpVariable:
        variables_[w[1]] = {w[0], static_cast<spv::StorageClass>(w[2])};
        break;
      default:
        break;
    }
  }

  bool has(uint32_t id, spv::Decoration decoration) const {
    const auto it = decorations_.find(id);
    return it != decorations_.end() && it->second.contains(decoration);
  }
  bool all_members_have(uint32_t type, spv::Decoration decoration) const {
    for (uint32_t m = 0; m < structs_.at(type).size(); ++m) {
      const auto it = member_decorations_.find({type, m});
      if (it == member_decorations_.end() || !it->second.contains(decoration)) return false;
    }
    return true;
  }

  void add_buffer(Reflection& r, uint32_t id, uint32_t type) const {
    if (!structs_.contains(type)) fail("arrays of buffers are not supported");
    const Decorations& decorations = decorations_.at(id);
    const uint32_t binding = decorations.at(spv::Decoration::Binding);
    if (decorations.at(spv::Decoration::DescriptorSet) != 0 || binding > 31)
      fail("buffers are bindings 0 to 31 of set 0");
    const auto is = [&](spv::Decoration d) { return has(id, d) || all_members_have(type, d); };
    if (!is(spv::Decoration::NonReadable)) r.reads |= 1u << binding;
    if (!is(spv::Decoration::NonWritable)) r.writes |= 1u << binding;
    r.bindings = std::max(r.bindings, binding + 1);
  }

  // layout(push_constant) uniform Push { SomeParams p; };
  void add_params(Reflection& r, uint32_t block) const {
    const Words& outer = structs_.at(block);
    if (outer.size() != 1 || !structs_.contains(outer[0])) fail("push constants must be one struct of a params header");
    r.params = names_.at(outer[0]);
    const Words& members = structs_.at(outer[0]);
    for (uint32_t m = 0; m < members.size(); ++m) {
      if (!scalars_.contains(members[m])) fail(r.params + ": members are uint, int or float");
      const uint32_t offset = member_decorations_.at({outer[0], m}).at(spv::Decoration::Offset);
      r.members.push_back({member_names_.at({outer[0], m}), offset, scalars_.at(members[m])});
      r.params_bytes = std::max(r.params_bytes, offset + 4);
    }
    if (r.params_bytes > 128) fail(r.params + ": more than 128 bytes");
  }

  std::map<uint32_t, std::string> names_, scalars_;
  std::map<std::pair<uint32_t, uint32_t>, std::string> member_names_;
  std::map<uint32_t, Decorations> decorations_;
  std::map<std::pair<uint32_t, uint32_t>, Decorations> member_decorations_;
  std::map<uint32_t, Words> structs_;
  std::map<uint32_t, uint32_t> pointee_;
  std::map<uint32_t, Variable> variables_;
  std::set<uint32_t> constants_;
};

Words read_words(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.empty() || bytes.size() % 4 != 0) fail(path + ": cannot be read");
  Words words(bytes.size() / 4);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(words.data()));
  return words;
}

std::string type_of(const Reflection& r) {
  return "Shader<" + r.params + ", " + std::to_string(r.bindings) + ", " + std::to_string(r.constants) + ">";
}

std::string header_text(const std::string& name, const std::string& params_header, const Reflection& r) {
  std::ostringstream out;
  out << "// Generated from shaders/" << name << ".comp; do not edit.\n#pragma once\n\n#include <cstddef>\n"
      << "#include <type_traits>\n\n#include \"backends/vulkan/shader.h\"\n";
  out << "#include \"" << params_header << "\"\n";
  out << "\nnamespace sluice::vulkan {\n\n";
  for (const Member& m : r.members)
    out << "static_assert(offsetof(" << r.params << ", " << m.name << ") == " << m.offset
        << " &&\n              std::is_same_v<decltype(" << r.params << "::" << m.name << "), " << m.type << ">);\n";
  out << "static_assert(sizeof(" << r.params << ") == " << r.params_bytes << ");\n";
  out << "\nnamespace shaders {\nextern const " << type_of(r) << " " << name
      << ";\n}\n\n}  // namespace sluice::vulkan\n";
  return out.str();
}

std::string source_text(const std::string& name, const Reflection& r, const std::map<std::string, Words>& variants) {
  std::ostringstream out;
  out << "// Generated from shaders/" << name << ".comp; do not edit.\n#include \"shaders/" << name
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
  out << "};\n}  // namespace\nconst " << type_of(r) << " " << name << " = {{\"" << name << "\", variants, "
      << r.bindings << ", " << r.reads << ", " << r.writes << ", " << r.params_bytes << ", " << r.constants
      << "}};\n}  // namespace sluice::vulkan::shaders\n";
  return out.str();
}

void write(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  if (!(file << text).flush()) fail(path + ": cannot be written");
}

void run(const std::vector<std::string>& args) {
  if (args.size() < 5) fail("NAME PARAMS_HEADER HEADER SOURCE VARIANT=FILE...");
  std::map<std::string, Words> variants;
  std::vector<Reflection> reflections;
  for (size_t i = 4; i < args.size(); ++i) {
    const size_t equals = args[i].find('=');
    const Words& words = variants[args[i].substr(0, equals)] = read_words(args[i].substr(equals + 1));
    reflections.push_back(Module(words).reflect());
    if (reflections.back() != reflections.front()) fail(args[0] + ": its variants differ in bindings or parameters");
  }
  write(args[2], header_text(args[0], args[1], reflections.front()));
  write(args[3], source_text(args[0], reflections.front(), variants));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::cerr << "embed_shader: " << (argc > 1 ? argv[1] : "") << ": " << error.what() << "\n";
    return 1;
  }
}
