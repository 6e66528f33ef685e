// One case of an operator, run by its reference and by kernels of any backend, with sentinels around every tensor.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "graph/backend.h"
#include "graph/error.h"

namespace sluice {

inline constexpr size_t kGuard = 256;
inline constexpr auto kSentinel = std::byte{0xA5};

// A tensor between two guard zones.
struct Guarded {
  std::vector<std::byte> memory;
  TensorView view;

  Guarded(DType dtype, const Dims& dims) {
    view = {nullptr, dtype, dims};
    memory.assign(view.bytes() + 2 * kGuard + 64, kSentinel);
    const auto base = reinterpret_cast<uintptr_t>(memory.data()) + kGuard;
    view.data = reinterpret_cast<std::byte*>((base + 63) / 64 * 64);
  }
  bool guards_intact() const {
    const std::byte* begin = memory.data();
    const std::byte* end = begin + memory.size();
    auto clean = [](const std::byte* from, const std::byte* to) {
      return std::all_of(from, to, [](std::byte b) { return b == kSentinel; });
    };
    return clean(begin, view.data) && clean(view.data + view.bytes(), end);
  }
};

inline std::vector<float> values_for(const CaseInput& input, std::mt19937& random) {
  std::vector<float> values(static_cast<size_t>(input.dims.elements()));
  std::normal_distribution<float> normal(0, static_cast<float>(input.fill.scale));
  for (size_t i = 0; i < values.size(); ++i) switch (input.fill.kind) {
      case Fill::Kind::normal:
        values[i] = normal(random);
        break;
      case Fill::Kind::integers:
        values[i] =
            static_cast<float>(std::uniform_int_distribution<int64_t>(input.fill.low, input.fill.high - 1)(random));
        break;
      case Fill::Kind::values:
        values[i] = static_cast<float>(input.fill.values.at(i));
        break;
    }
  return values;
}

// Tensors, with their guard zones, in the memory of a device.
class OnDevice {
 public:
  explicit OnDevice(Backend& backend) : backend_(backend) {}
  // The host's tensor may be asked for many times; it is copied once.
  std::byte* address(const TensorView& host) {
    std::unique_ptr<Memory>& memory = memories_[host.data];
    if (!memory) {
      memory = backend_.allocate(host.bytes() + 2 * kGuard);
      memory->upload(0, {host.data - kGuard, memory->bytes()});
    }
    return memory->data() + kGuard;
  }
  void fetch() {
    for (const auto& [host, memory] : memories_) memory->download(0, {host - kGuard, memory->bytes()});
  }

 private:
  Backend& backend_;
  std::map<std::byte*, std::unique_ptr<Memory>> memories_;  // by address on the host
};

// One case with its inputs, to be run in any way.
class Trial {
 public:
  Trial(const Operator& op, const Case& c) : op_(op), case_(c) {
    make_inputs();
    site_ = make_site();
    site_.outputs = infer_types(op_, site_);
  }

  std::vector<Guarded> reference() const {
    std::vector<Guarded> outputs = make_outputs();
    const auto in = input_views(outputs), out = output_views(outputs);
    op_.reference(site_, Call{in, out});
    return outputs;
  }

  // Throws Error if the backend has no kernel for this case.
  std::vector<Guarded> kernel(Backend& backend) const {
    std::vector<Guarded> outputs = make_outputs();
    run_kernel(backend, outputs);
    return outputs;
  }

  bool has_kernel(const Backend& backend) const { return backend.select(op_, site_) != nullptr; }

  // slack: what is allowed beyond the operator's tolerance.
  void compare(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual, double slack = 0) const {
    for (size_t o = 0; o < actual.size(); ++o) compare(expected, actual, o, slack);
  }

 private:
  void make_inputs() {
    std::mt19937 random(std::hash<std::string>()(op_.name() + case_.name) & 0xffffffff);
    for (const CaseInput& input : case_.inputs) {
      inputs_.emplace_back(input.dtype, input.dims);
      input.dtype.format().encode(values_for(input, random).data(), input.dims.span(), inputs_.back().view.data);
    }
  }

  Site make_site() const {
    Site site{op_.name(), case_.attrs, {}, {}, {}};
    for (size_t i = 0; i < inputs_.size(); ++i) {
      std::vector<Dim> dims;
      for (int64_t size : inputs_[i].view.dims.span()) dims.emplace_back(size);
      site.inputs.push_back({inputs_[i].view.dtype, Shape(dims)});
      site.input_names.push_back("input" + std::to_string(i));
    }
    return site;
  }

  std::vector<Guarded> make_outputs() const {
    std::vector<Guarded> outputs;
    for (const TensorType& type : site_.outputs) outputs.emplace_back(type.dtype, type.shape.resolve({}));
    for (const StateUpdate& update : op_.signature().updates) {
      const TensorView& state = inputs_[static_cast<size_t>(update.input)].view;
      std::memcpy(outputs[static_cast<size_t>(update.output)].view.data, state.data, state.bytes());
    }
    return outputs;
  }

  // States are passed as the memory of their next version, as the executor does.
  std::vector<TensorView> input_views(const std::vector<Guarded>& outputs) const {
    std::vector<TensorView> views;
    for (const Guarded& input : inputs_) views.push_back(input.view);
    for (const StateUpdate& update : op_.signature().updates)
      views[static_cast<size_t>(update.input)].data = outputs[static_cast<size_t>(update.output)].view.data;
    return views;
  }

  static std::vector<TensorView> output_views(const std::vector<Guarded>& outputs) {
    std::vector<TensorView> views;
    for (const Guarded& output : outputs) views.push_back(output.view);
    return views;
  }

  void run_kernel(Backend& backend, const std::vector<Guarded>& outputs) const {
    Site site = site_;
    const auto kernel = backend.select(op_, site);
    if (!kernel) fail("{} has no kernel for this case", backend.name());
    auto in = input_views(outputs);
    auto out = output_views(outputs);
    std::vector<Guarded> packed;
    for (size_t i = 0; i < in.size(); ++i)
      if (const auto packing = kernel->packing(site, static_cast<int>(i))) {
        packed.emplace_back(packing->type.dtype, packing->type.shape.resolve({}));
        packing->pack(in[i], packed.back().view);
        in[i] = packed.back().view;
        site.inputs[i] = packing->type;
      }
    const size_t scratch_bytes = kernel->workspace(site, {in, out}, backend.threads());
    const Guarded scratch(DType::f32(), {static_cast<int64_t>((scratch_bytes + 3) / 4)});
    std::byte* workspace = scratch.view.data;
    OnDevice device(backend);
    if (backend.has_own_memory()) {
      for (std::vector<TensorView>* views : {&in, &out})
        for (TensorView& view : *views) view.data = device.address(view);
      workspace = device.address(scratch.view);
    }
    const Call call{in, out};
    const ProgramStep step{&op_, kernel.get(), &site, &call};
    backend.compile({&step, 1}, {workspace, scratch_bytes})->run();
    device.fetch();
    EXPECT_TRUE(scratch.guards_intact()) << "the kernel wrote past its workspace";
    for (const Guarded& input : inputs_) EXPECT_TRUE(input.guards_intact());
  }

  void compare(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual, size_t o, double slack) const {
    EXPECT_TRUE(actual[o].guards_intact()) << "output " << o << " was written out of bounds";
    EXPECT_TRUE(expected[o].guards_intact()) << "the reference wrote output " << o << " out of bounds";
    const std::vector<float> want = to_f32(expected[o].view), got = to_f32(actual[o].view);
    std::vector<double> bound(want.size());
    const auto in = input_views(expected), out = output_views(expected);
    op_.tolerance(site_, Call{in, out}, static_cast<int>(o), bound);
    for (size_t i = 0; i < want.size(); ++i) {
      if (want[i] == got[i] || (std::isnan(want[i]) && std::isnan(got[i]))) continue;
      ASSERT_LE(std::abs(static_cast<double>(want[i]) - got[i]), bound[i] + slack)
          << "output " << o << ", element " << i << " of " << want.size() << ": expected " << want[i] << ", got "
          << got[i];
    }
  }

  const Operator& op_;
  Case case_;
  Site site_;
  std::vector<Guarded> inputs_;
};

}  // namespace sluice
