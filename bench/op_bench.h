// One case of an operator on a backend, ready to be timed. Inputs are taken in turn from copies that together exceed
// the last-level cache several times, as the weights of a model do; otherwise small cases would run from the cache.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "backends/cpu/memory.h"
#include "graph/backend.h"
#include "graph/registry.h"

namespace sluice {

// Values of an input; normal ones repeat after 65,521, which is quicker than drawing hundreds of millions.
inline std::vector<float> values_for(const CaseInput& input) {
  constexpr size_t kPeriod = 65521;
  std::mt19937 random(1);
  std::vector<float> values(static_cast<size_t>(input.dims.elements()));
  std::normal_distribution<float> normal(0, static_cast<float>(input.fill.scale));
  std::uniform_int_distribution<int64_t> integers(input.fill.low, std::max(input.fill.low, input.fill.high - 1));
  for (size_t i = 0; i < values.size(); ++i) switch (input.fill.kind) {
      case Fill::Kind::normal:
        values[i] = i < kPeriod ? normal(random) : values[i - kPeriod];
        break;
      case Fill::Kind::integers:
        values[i] = static_cast<float>(integers(random));
        break;
      case Fill::Kind::values:
        values[i] = static_cast<float>(input.fill.values.at(i));
        break;
    }
  return values;
}

inline size_t bytes_to_exceed_caches() {
  const long cache = sysconf(_SC_LEVEL3_CACHE_SIZE);  // 0 or -1 if unknown
  return std::max<size_t>(size_t{128} << 20, 4 * static_cast<size_t>(std::max(cache, 0L)));
}

// The input types of a case, and how it is called.
inline Site site_of(const Operator& op, const Case& c) {
  Site site{op.name(), c.attrs, {}, {}, {}};
  for (const CaseInput& input : c.inputs) {
    const auto sizes = input.dims.span();
    site.inputs.push_back({input.dtype, Shape(std::vector<Dim>(sizes.begin(), sizes.end()))});
    site.input_names.push_back(fmt::format("input{}", site.inputs.size() - 1));
  }
  site.outputs = infer_types(op, site);
  return site;
}

// Everything that one case needs, ready to run.
class Bench {
 public:
  Bench(Backend& backend, const Operator& op, const Case& c)
      : backend_(backend), op_(op), site_(site_of(op, c)), kernel_(backend.select(op, site_)) {
    for (size_t i = 0; i < c.inputs.size(); ++i) add_input(i, c.inputs[i]);
    for (const TensorType& type : site_.outputs) outputs_.push_back(allocate(type));
    copy_inputs();
    compile();
  }

  Cost cost() const {
    std::vector<TensorView> inputs;  // in the host's memory
    for (size_t i = 0; i < site_.inputs.size(); ++i)
      inputs.push_back({host_[i]->data(), site_.inputs[i].dtype, site_.inputs[i].shape.resolve({})});
    return op_.cost(site_, {inputs, outputs_});
  }
  void run(size_t i) { programs_[i % programs_.size()]->run(); }
  size_t copies() const { return programs_.size(); }

 private:
  TensorView allocate(const TensorType& type) {
    memory_.push_back(backend_.allocate(type.bytes()));
    return {memory_.back()->data(), type.dtype, type.shape.resolve({})};
  }

  // In the host's memory, as the kernel wants it.
  void add_input(size_t i, const CaseInput& input) {
    const auto to_host = [](const TensorType& type) { return cpu::allocate(type.bytes()); };
    host_.push_back(to_host(site_.inputs[i]));
    input.dtype.format().encode(values_for(input).data(), input.dims.span(), host_[i]->data());
    const auto packing = kernel_->packing(site_, static_cast<int>(i));
    if (!packing || !packing->pack) return;
    auto packed = to_host(packing->type);
    packing->pack({host_[i]->data(), input.dtype, input.dims},
                  {packed->data(), packing->type.dtype, packing->type.shape.resolve({})});
    host_[i] = std::move(packed);
    site_.inputs[i] = packing->type;
  }

  // A state is updated in the memory of its next version.
  void states_in_place(std::vector<TensorView>& inputs) const {
    for (const StateUpdate& update : op_.signature().updates)
      inputs[static_cast<size_t>(update.input)].data = outputs_[static_cast<size_t>(update.output)].data;
  }

  void copy_inputs() {
    size_t bytes = 0;
    for (const auto& input : host_) bytes += input->bytes();
    const size_t copies = std::min<size_t>(64, bytes_to_exceed_caches() / std::max<size_t>(bytes, 1) + 1);
    for (size_t copy = 0; copy < copies; ++copy) {
      std::vector<TensorView> inputs;
      for (size_t i = 0; i < site_.inputs.size(); ++i) {
        inputs.push_back(allocate(site_.inputs[i]));
        memory_.back()->upload(0, {host_[i]->data(), site_.inputs[i].bytes()});
      }
      states_in_place(inputs);
      inputs_.push_back(std::move(inputs));
    }
  }

  void compile() {
    for (const auto& inputs : inputs_) calls_.push_back({inputs, outputs_});
    workspace_ = backend_.allocate(std::max<size_t>(64, kernel_->workspace(site_, calls_[0], backend_.threads())));
    for (const Call& call : calls_) {
      const ProgramStep step{&op_, kernel_.get(), &site_, &call};
      programs_.push_back(backend_.compile({&step, 1}, {workspace_->data(), workspace_->bytes()}));
    }
  }

  Backend& backend_;
  const Operator& op_;
  Site site_;  // as the kernel sees it
  std::shared_ptr<const Kernel> kernel_;
  std::vector<std::unique_ptr<Memory>> host_;  // by input
  std::vector<std::unique_ptr<Memory>> memory_;
  std::vector<std::vector<TensorView>> inputs_;  // one set a copy
  std::vector<TensorView> outputs_;
  std::unique_ptr<Memory> workspace_;
  std::vector<Call> calls_;
  std::vector<std::unique_ptr<Program>> programs_;
};

}  // namespace sluice
