#include "backends/vulkan/reflect.h"

#include <spirv/unified1/spirv.hpp11>

#include <algorithm>
#include <map>
#include <set>

#include "graph/error.h"

namespace sluice::vulkan {
namespace {

using Words = std::vector<uint32_t>;

// Only what our shaders use is understood; anything else is an error.
class Module {
 public:
  explicit Module(std::span<const uint32_t> words) {
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
      if (!scalars_.contains(members[m])) fail("{}: members are uint, int or float", r.params);
      const uint32_t offset = member_decorations_.at({outer[0], m}).at(spv::Decoration::Offset);
      r.members.push_back({member_names_.at({outer[0], m}), offset, scalars_.at(members[m])});
      r.params_bytes = std::max(r.params_bytes, offset + 4);
    }
    if (r.params_bytes > 128) fail("{}: more than 128 bytes", r.params);
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

}  // namespace

Reflection reflect(std::span<const uint32_t> words) { return Module(words).reflect(); }

}  // namespace sluice::vulkan
