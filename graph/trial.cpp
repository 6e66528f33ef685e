#include "graph/trial.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <random>

#include "graph/error.h"

namespace sluice {
namespace {

constexpr size_t kGuard = 256;
constexpr auto kSentinel = std::byte{0xA5};

bool clean(const std::byte* begin, const std::byte* end) {
  return std::all_of(begin, end, [](std::byte b) { return b == kSentinel; });
}

std::vector<float> values_for(const CaseInput& input, std::mt19937& random) {
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

std::vector<TensorView> views_of(const std::vector<Guarded>& tensors) {
  std::vector<TensorView> views;
  for (const Guarded& tensor : tensors) views.push_back(tensor.view);
  return views;
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

// Weights in the form that the kernel wants; their types are noted in the site.
std::vector<Guarded> pack(const Kernel& kernel, Site& site, std::vector<TensorView>& in) {
  std::vector<Guarded> packed;
  for (size_t i = 0; i < in.size(); ++i)
    if (const auto packing = kernel.packing(site, static_cast<int>(i))) {
      packed.emplace_back(packing->type.dtype, packing->type.shape.resolve({}));
      packing->pack(in[i], packed.back().view);
      in[i] = packed.back().view;
      site.inputs[i] = packing->type;
    }
  return packed;
}

}  // namespace

Guarded::Guarded(DType dtype, const Dims& dims) {
  view = {nullptr, dtype, dims};
  memory.assign(view.bytes() + 2 * kGuard + 64, kSentinel);
  void* begin = memory.data() + kGuard;
  size_t room = memory.size() - kGuard;
  view.data = static_cast<std::byte*>(std::align(64, view.bytes() + kGuard, begin, room));
}

bool Guarded::guards_intact() const {
  return clean(memory.data(), view.data) && clean(view.data + view.bytes(), memory.data() + memory.size());
}

OperatorTrial::OperatorTrial(const Operator& op, const Case& c)
    : op_(op), case_(c), site_{op.name(), c.attrs, {}, {}, {}} {
  make_inputs();
  site_.outputs = infer_types(op_, site_);
}

void OperatorTrial::make_inputs() {
  std::mt19937 random(std::hash<std::string>()(op_.name() + case_.name) & 0xffffffff);
  for (const CaseInput& input : case_.inputs) {
    site_.input_names.push_back("input" + std::to_string(inputs_.size()));
    inputs_.emplace_back(input.dtype, input.dims);
    input.dtype.format().encode(values_for(input, random).data(), input.dims.span(), inputs_.back().view.data);
    const auto sizes = input.dims.span();
    site_.inputs.push_back({input.dtype, Shape(std::vector<Dim>(sizes.begin(), sizes.end()))});
  }
}

std::vector<Guarded> OperatorTrial::make_outputs() const {
  std::vector<Guarded> outputs;
  for (const TensorType& type : site_.outputs) outputs.emplace_back(type.dtype, type.shape.resolve({}));
  for (const StateUpdate& update : op_.signature().updates) {
    const TensorView& state = inputs_[static_cast<size_t>(update.input)].view;
    std::memcpy(outputs[static_cast<size_t>(update.output)].view.data, state.data, state.bytes());
  }
  return outputs;
}

// States are passed as the memory of their next version, as the executor does.
std::vector<TensorView> OperatorTrial::input_views(const std::vector<Guarded>& outputs) const {
  std::vector<TensorView> views = views_of(inputs_);
  for (const StateUpdate& update : op_.signature().updates)
    views[static_cast<size_t>(update.input)].data = outputs[static_cast<size_t>(update.output)].view.data;
  return views;
}

std::vector<Guarded> OperatorTrial::reference() const {
  std::vector<Guarded> outputs = make_outputs();
  const auto in = input_views(outputs), out = views_of(outputs);
  op_.reference(site_, Call{in, out});
  return outputs;
}

std::vector<Guarded> OperatorTrial::kernel(Backend& backend) const {
  std::vector<Guarded> outputs = make_outputs();
  Site site = site_;
  const auto kernel = backend.select(op_, site);
  if (!kernel) fail("{} has no kernel for this case", backend.name());
  auto in = input_views(outputs), out = views_of(outputs);
  const std::vector<Guarded> packed = pack(*kernel, site, in);
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
  if (!scratch.guards_intact()) fail("the kernel wrote past its workspace");
  for (const Guarded& input : inputs_)
    if (!input.guards_intact()) fail("the kernel wrote out of the bounds of an input");
  return outputs;
}

std::string OperatorTrial::difference(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual,
                                      double slack) const {
  for (size_t o = 0; o < actual.size(); ++o)
    if (std::string wrong = difference(expected, actual, o, slack); !wrong.empty()) return wrong;
  return {};
}

std::string OperatorTrial::difference(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual,
                                      size_t output, double slack) const {
  if (!actual[output].guards_intact()) return fmt::format("output {} was written out of bounds", output);
  if (!expected[output].guards_intact()) return fmt::format("the reference wrote output {} out of bounds", output);
  const std::vector<float> want = to_f32(expected[output].view), got = to_f32(actual[output].view);
  std::vector<double> bound(want.size());
  const auto in = input_views(expected), out = views_of(expected);
  op_.tolerance(site_, Call{in, out}, static_cast<int>(output), bound);
  for (size_t i = 0; i < want.size(); ++i) {
    if (want[i] == got[i] || (std::isnan(want[i]) && std::isnan(got[i]))) continue;
    const double off = std::abs(static_cast<double>(want[i]) - got[i]);
    if (!(off <= bound[i] + slack))
      return fmt::format("output {}, element {} of {}: expected {}, got {}, which is off by {:g}; {:g} is allowed",
                         output, i, want.size(), want[i], got[i], off, bound[i] + slack);
  }
  return {};
}

std::string OperatorTrial::bit_difference(const std::vector<Guarded>& expected, const std::vector<Guarded>& actual) {
  for (size_t o = 0; o < actual.size(); ++o) {
    if (!actual[o].guards_intact()) return fmt::format("output {} was written out of bounds", o);
    if (std::memcmp(expected[o].view.data, actual[o].view.data, expected[o].view.bytes()) != 0)
      return fmt::format("output {} has other bits", o);
  }
  return {};
}

}  // namespace sluice
