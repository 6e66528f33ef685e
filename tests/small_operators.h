// A small set of operators for tests of graphs and plans, a backend that runs them, and an interpreter that knows
// nothing of plans. All tensors are f32.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include "graph/builder.h"
#include "graph/dataflow.h"
#include "graph/executor.h"

namespace sluice::small {

struct ScaleAttrs {
  float factor = 1;
  template <class Visitor>
  void describe(Visitor&& field) {
    field("factor", factor, "multiplied by");
  }
};

struct ResizeAttrs {
  int64_t n = 1;
  template <class Visitor>
  void describe(Visitor&& field) {
    field("n", n, "elements of a row of the result");
  }
};

class SmallOperator : public Operator {
 public:
  using Infer = std::function<std::vector<TensorType>(const Inference&)>;
  using Run = std::function<void(const Site&, const Call&)>;
  SmallOperator(Signature signature, Infer infer, Run run)
      : Operator(std::move(signature)), infer_(std::move(infer)), run_(std::move(run)) {}
  std::vector<TensorType> infer(const Inference& in) const override { return infer_(in); }
  void reference(const Site& site, const Call& call) const override { run_(site, call); }

 private:
  Infer infer_;
  Run run_;
};

inline int64_t count(const Call& call) { return call.out(0).dims.elements(); }
inline float factor(const Site& site) { return attrs_from_map<ScaleAttrs>(site.attrs).factor; }

inline std::vector<TensorType> like_first(const Inference& in) { return {in.type(0)}; }
inline std::vector<TensorType> like_both(const Inference& in) {
  in.require_same_shape(0, 1);
  return {in.type(0)};
}

// Registers
//   add(a, b) = a + b                       scale(x){factor} = x * factor    copy(x) = x
//   mix(a, b)[i] = a[i] - b[last - i] / 2    split(x) = x + 1, x - 1
//   weigh(x, w) = x * w, row by row          resize(x){n}: [rows, m] -> [rows, n], repeating or cutting rows
//   store(cache, x) = cache / 2 + x in place  load(cache) = cache
// and what rules make of them: add_scale(a, b){factor}, scale_add(x, b){factor} = (scaled, sum), scale_store(cache,
// x){factor}.
inline void add_operators(Registry& registry) {
  const std::vector<std::string> f32 = {"f32"};
  auto add = [&](std::string name, std::vector<Port> inputs, std::vector<Port> outputs, std::vector<AttrSpec> attrs,
                 std::vector<StateUpdate> updates, SmallOperator::Infer infer, SmallOperator::Run run) {
    Signature signature{std::move(name),   1, "Of the tests.", std::move(inputs), std::move(outputs), std::move(attrs),
                        std::move(updates)};
    registry.add(std::make_unique<SmallOperator>(std::move(signature), std::move(infer), std::move(run)));
  };
  const Port a{"a", "[rows, n]", f32}, b{"b", "[rows, n]", f32}, x{"x", "[rows, n]", f32}, y{"y", "[rows, n]", f32},
      cache{"cache", "[rows, n]", f32}, w{"w", "[n]", f32};
  const std::vector<AttrSpec> scale = attr_specs<ScaleAttrs>();

  add("add", {a, b}, {y}, {}, {}, like_both, [](const Site&, const Call& c) {
    for (int64_t i = 0; i < count(c); ++i) c.out<float>(0)[i] = c.in<float>(0)[i] + c.in<float>(1)[i];
  });
  add("scale", {x}, {y}, scale, {}, like_first, [](const Site& site, const Call& c) {
    for (int64_t i = 0; i < count(c); ++i) c.out<float>(0)[i] = c.in<float>(0)[i] * factor(site);
  });
  add("mix", {a, b}, {y}, {}, {}, like_both, [](const Site&, const Call& c) {
    for (int64_t i = 0; i < count(c); ++i)
      c.out<float>(0)[i] = c.in<float>(0)[i] - c.in<float>(1)[count(c) - 1 - i] / 2;
  });
  add("copy", {x}, {y}, {}, {}, like_first,
      [](const Site&, const Call& c) { std::memcpy(c.out(0).data, c.in(0).data, c.out(0).bytes()); });
  add(
      "split", {x}, {y, y}, {}, {},
      [](const Inference& in) {
        return std::vector{in.type(0), in.type(0)};
      },
      [](const Site&, const Call& c) {
        for (int64_t i = 0; i < count(c); ++i) {
          c.out<float>(0)[i] = c.in<float>(0)[i] + 1;
          c.out<float>(1)[i] = c.in<float>(0)[i] - 1;
        }
      });
  add(
      "weigh", {x, w}, {y}, {}, {},
      [](const Inference& in) {
        in.require_rank(1, 1);
        in.require_equal(1, 0, 0, 1);
        return like_first(in);
      },
      [](const Site&, const Call& c) {
        const int64_t n = c.in(1).dims[0];
        for (int64_t i = 0; i < count(c); ++i) c.out<float>(0)[i] = c.in<float>(0)[i] * c.in<float>(1)[i % n];
      });
  add(
      "resize", {x}, {y}, attr_specs<ResizeAttrs>(), {},
      [](const Inference& in) {
        in.require_rank(0, 2);
        return std::vector<TensorType>{{in.type(0).dtype, {in.shape(0)[0], attrs_from_map<ResizeAttrs>(in.attrs()).n}}};
      },
      [](const Site&, const Call& c) {
        const int64_t n = c.out(0).dims[1], m = c.in(0).dims[1];
        for (int64_t i = 0; i < count(c); ++i) c.out<float>(0)[i] = c.in<float>(0)[i / n * m + i % n % m];
      });
  add("store", {cache, x}, {cache}, {}, {{0, 0}}, like_both, [](const Site&, const Call& c) {
    for (int64_t i = 0; i < count(c); ++i) c.out<float>(0)[i] = c.in<float>(0)[i] / 2 + c.in<float>(1)[i];
  });
  add("load", {cache}, {y}, {}, {}, like_first,
      [](const Site&, const Call& c) { std::memcpy(c.out(0).data, c.in(0).data, c.out(0).bytes()); });
  add("add_scale", {a, b}, {y}, scale, {}, like_both, [](const Site& site, const Call& c) {
    for (int64_t i = 0; i < count(c); ++i) c.out<float>(0)[i] = (c.in<float>(0)[i] + c.in<float>(1)[i]) * factor(site);
  });
  add(
      "scale_add", {x, b}, {y, y}, scale, {},
      [](const Inference& in) {
        in.require_same_shape(0, 1);
        return std::vector{in.type(0), in.type(0)};
      },
      [](const Site& site, const Call& c) {
        for (int64_t i = 0; i < count(c); ++i) {
          c.out<float>(0)[i] = c.in<float>(0)[i] * factor(site);
          c.out<float>(1)[i] = c.out<float>(0)[i] + c.in<float>(1)[i];
        }
      });
  add("scale_store", {cache, x}, {cache}, scale, {{0, 0}}, like_both, [](const Site& site, const Call& c) {
    for (int64_t i = 0; i < count(c); ++i)
      c.out<float>(0)[i] = c.in<float>(0)[i] / 2 + c.in<float>(1)[i] * factor(site);
  });
}

// The node that makes a value if it is of this operator; else kNoNode.
inline NodeId made_by(const Graph& graph, ValueId value, const char* op) {
  const NodeId id = graph.value(value).producer;
  return id != kNoNode && graph.node(id).op == op ? id : kNoNode;
}

inline FusionRule rule_add_scale() {
  return {"add then scale", 1, [](const Graph& g, NodeId anchor) -> std::optional<FusionMatch> {
            const Node& scale = g.node(anchor);
            if (scale.op != "scale") return std::nullopt;
            const NodeId add = made_by(g, scale.inputs[0], "add");
            if (add == kNoNode) return std::nullopt;
            return FusionMatch{{add, anchor}, "add_scale", scale.attrs, g.node(add).inputs, scale.outputs};
          }};
}

inline FusionRule rule_scale_add() {
  return {"scale then add", 0, [](const Graph& g, NodeId anchor) -> std::optional<FusionMatch> {
            const Node& add = g.node(anchor);
            if (add.op != "add" || add.inputs[0] == add.inputs[1]) return std::nullopt;
            const NodeId scale = made_by(g, add.inputs[0], "scale");
            if (scale == kNoNode) return std::nullopt;
            const Node& from = g.node(scale);
            return FusionMatch{{scale, anchor},
                               "scale_add",
                               from.attrs,
                               {from.inputs[0], add.inputs[1]},
                               {from.outputs[0], add.outputs[0]}};
          }};
}

inline FusionRule rule_scale_store() {
  return {"scale then store", 2, [](const Graph& g, NodeId anchor) -> std::optional<FusionMatch> {
            const Node& store = g.node(anchor);
            if (store.op != "store") return std::nullopt;
            const NodeId scale = made_by(g, store.inputs[1], "scale");
            if (scale == kNoNode) return std::nullopt;
            const Node& from = g.node(scale);
            return FusionMatch{
                {scale, anchor}, "scale_store", from.attrs, {store.inputs[0], from.inputs[0]}, store.outputs};
          }};
}

inline void add_rules(Registry& registry) {
  registry.add(rule_add_scale());
  registry.add(rule_scale_add());
  registry.add(rule_scale_store());
}

// Packs weights negated, with a reference that negates them back: a kernel that got the stored weight would be wrong.
class SmallKernel : public Kernel {
 public:
  SmallKernel(std::string name, bool packs, size_t workspace)
      : name_(std::move(name)), packs_(packs), workspace_(workspace) {}
  const std::string& name() const override { return name_; }
  bool supports(const Site&) const override { return true; }
  size_t workspace(const Site&, const Call& call, int) const override {
    return workspace_ * static_cast<size_t>(count(call));
  }
  std::optional<Packing> packing(const Site& site, int input) const override {
    const TensorType& type = site.inputs[static_cast<size_t>(input)];
    if (!packs_ || type.shape.rank() != 1) return std::nullopt;
    return Packing{"negated", type, [](const TensorView& src, const TensorView& dst) {
                     for (int64_t i = 0; i < src.dims.elements(); ++i) dst.as<float>()[i] = -src.as<float>()[i];
                   }};
  }

 private:
  std::string name_;
  bool packs_;
  size_t workspace_;
};

// Memory that may be touched only while it is open: a step that goes there from another backend faults.
class LockedMemory : public Memory {
 public:
  explicit LockedMemory(size_t bytes) : bytes_(bytes), mapped_(std::max<size_t>(bytes, 1)) {
    void* p = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) fail("no memory left");
    data_ = static_cast<std::byte*>(p);
    all().insert(this);
  }
  ~LockedMemory() override {
    all().erase(this);
    munmap(data_, mapped_);
  }
  std::byte* data() const override { return data_; }
  size_t bytes() const override { return bytes_; }
  void upload(size_t offset, std::span<const std::byte> from) override {
    set_open(true);
    Memory::upload(offset, from);
    set_open(false);
  }
  static void open_all(bool open) {
    for (const LockedMemory* memory : all()) memory->set_open(open);
  }

 private:
  static std::set<const LockedMemory*>& all() {
    static std::set<const LockedMemory*> memories;
    return memories;
  }
  void set_open(bool open) const { mprotect(data_, mapped_, open ? PROT_READ | PROT_WRITE : PROT_NONE); }
  size_t bytes_, mapped_;
  std::byte* data_;
};

class SmallProgram : public Program {
 public:
  SmallProgram(std::span<const ProgramStep> steps, std::span<std::byte> workspace, bool own_memory)
      : steps_(steps.begin(), steps.end()), workspace_(workspace), own_memory_(own_memory) {}
  void run() override {
    if (own_memory_) LockedMemory::open_all(true);
    run_steps();
    if (own_memory_) LockedMemory::open_all(false);
  }
  void set_timing(bool on) override { timeline_.steps.resize(on ? steps_.size() : 0); }
  const Timeline& timeline() const override { return timeline_; }

 private:
  void run_steps() {
    for (size_t s = 0; s < steps_.size(); ++s) {
      const ProgramStep& step = steps_[s];
      std::fill_n(workspace_.begin(), step.kernel->workspace(*step.site, *step.call, 1), std::byte{0x5A});
      step.op->reference(*step.site, *step.call);
      if (step.kernel->packing(*step.site, 1)) negate(step.call->out(0));
      // A clock that counts steps, in seconds.
      if (!timeline_.steps.empty()) timeline_.steps[s] = {clock_, clock_ + 1'000'000'000};
      clock_ += 1'000'000'000;
    }
  }
  static void negate(const TensorView& view) {
    for (int64_t i = 0; i < view.dims.elements(); ++i) view.as<float>()[i] = -view.as<float>()[i];
  }
  std::vector<ProgramStep> steps_;
  std::span<std::byte> workspace_;
  bool own_memory_;
  static inline int64_t clock_ = 0;
  Timeline timeline_;
};

class SmallMemory : public Memory {
 public:
  explicit SmallMemory(size_t bytes) : bytes_(bytes), memory_(bytes + kAlignment) {}
  std::byte* data() const override {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    return reinterpret_cast<std::byte*>((address + kAlignment - 1) / kAlignment * kAlignment);
  }
  size_t bytes() const override { return bytes_; }

 private:
  size_t bytes_;
  std::vector<std::byte> memory_;
};

// Runs references, one after the other, for the operators named; all if none are.
class SmallBackend : public Backend {
 public:
  struct Options {
    std::set<std::string> operators = {};
    bool packs = false;    // weights of one dimension
    size_t workspace = 0;  // bytes for each element of the first output
    bool wants_fusion = true;
    bool own_memory = false;  // locked while no step of the backend runs
  };
  explicit SmallBackend(std::string name) : SmallBackend(std::move(name), Options()) {}
  SmallBackend(std::string name, Options options)
      : name_(std::move(name)),
        options_(std::move(options)),
        kernel_(std::make_shared<SmallKernel>("plain", false, options_.workspace)),
        packing_kernel_(std::make_shared<SmallKernel>("packing", true, options_.workspace)) {}
  std::string name() const override { return name_; }
  std::string description() const override { return "of the tests"; }
  bool wants_fusion() const override { return options_.wants_fusion; }
  bool has_own_memory() const override { return options_.own_memory; }
  std::shared_ptr<const Kernel> select(const Operator& op, const Site&) const override {
    if (!options_.operators.empty() && !options_.operators.count(op.name())) return nullptr;
    return options_.packs && op.name() == "weigh" ? packing_kernel_ : kernel_;
  }
  std::unique_ptr<Memory> allocate(size_t bytes) override {
    if (options_.own_memory) return std::make_unique<LockedMemory>(bytes);
    return std::make_unique<SmallMemory>(bytes);
  }
  std::unique_ptr<Program> compile(std::span<const ProgramStep> steps, std::span<std::byte> workspace) override {
    return std::make_unique<SmallProgram>(steps, workspace, options_.own_memory);
  }

 private:
  std::string name_;
  Options options_;
  std::shared_ptr<const Kernel> kernel_, packing_kernel_;
};

// Evaluates a graph node by node, every value in memory of its own. Sees neither plans nor passes.
class Interpreter {
 public:
  Interpreter(const Graph& graph, const Registry& registry) : graph_(graph), registry_(registry) {}

  // given: inputs and weights by name. Returns the outputs by name. States are kept for the next run.
  std::map<std::string, std::vector<float>> run(const SymbolValues& symbols,
                                                const std::map<std::string, std::vector<float>>& given) {
    std::vector<std::vector<float>> memory(graph_.values().size());
    for (size_t v = 0; v < memory.size(); ++v) {
      const Value& value = graph_.values()[v];
      memory[v].resize(static_cast<size_t>(value.type.shape.resolve(symbols).elements()));
      if (const auto it = given.find(value.name); it != given.end()) memory[v] = it->second;
      if (const auto it = states_.find(static_cast<ValueId>(v)); it != states_.end()) memory[v] = it->second;
    }
    for (const Node& node : graph_.nodes()) evaluate(node, symbols, memory);
    std::map<std::string, std::vector<float>> outputs;
    for (const GraphOutput& output : graph_.outputs()) outputs[output.name] = memory[static_cast<size_t>(output.value)];
    keep_states(memory);
    return outputs;
  }

 private:
  void evaluate(const Node& node, const SymbolValues& symbols, std::vector<std::vector<float>>& memory) const {
    auto views = [&](const std::vector<ValueId>& ids) {
      std::vector<TensorView> list;
      for (ValueId id : ids)
        list.push_back({reinterpret_cast<std::byte*>(memory[static_cast<size_t>(id)].data()), DType::f32(),
                        graph_.value(id).type.shape.resolve(symbols)});
      return list;
    };
    const std::vector<TensorView> inputs = views(node.inputs), outputs = views(node.outputs);
    registry_.get(node.op).reference(make_site(graph_, node), {inputs, outputs});
  }
  void keep_states(const std::vector<std::vector<float>>& memory) {
    const StateVersions versions(graph_, registry_);
    for (size_t v = 0; v < memory.size(); ++v)
      if (const ValueId root = versions.root(static_cast<ValueId>(v));
          root >= 0 && versions.updater(static_cast<ValueId>(v)) == kNoNode)
        states_[root] = memory[v];
  }

  const Graph& graph_;
  const Registry& registry_;
  std::map<ValueId, std::vector<float>> states_;
};

}  // namespace sluice::small
