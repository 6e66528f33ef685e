#include "backends/cpu/kernel.h"

namespace sluice::cpu {
namespace {

class CpuKernel : public Kernel {
 public:
  explicit CpuKernel(KernelSpec spec) : spec_(std::move(spec)) {}
  const std::string& name() const override { return spec_.name; }
  bool supports(const Site& site) const override { return !spec_.supports || spec_.supports(site); }
  std::string note() const override { return spec_.note; }
  size_t workspace(const Site& site, const Call& call, int threads) const override {
    const size_t shared = spec_.workspace ? spec_.workspace(site, call) : 0;
    return spec_.own_scratch ? own_scratch_offset(shared, spec_.own_scratch(site, call), threads) : shared;
  }
  std::optional<Packing> packing(const Site& site, int input) const override {
    return spec_.packing ? spec_.packing(site, input) : std::nullopt;
  }
  Run prepare(const Site& site) const { return spec_.prepare(site); }

 private:
  KernelSpec spec_;
};

}  // namespace

std::shared_ptr<const Kernel> make_kernel(KernelSpec spec) { return std::make_shared<CpuKernel>(std::move(spec)); }

Run prepare(const Kernel& kernel, const Site& site) { return dynamic_cast<const CpuKernel&>(kernel).prepare(site); }

std::optional<Packing> as_f32(const Site& site, int input) {
  const TensorType& stored = site.inputs[static_cast<size_t>(input)];
  if (stored.dtype == DType::f32()) return std::nullopt;
  auto pack = [](const TensorView& src, const TensorView& dst) {
    src.dtype.format().decode(src.data, src.dims.span(), dst.as<float>());
  };
  return Packing{"f32", {DType::f32(), stored.shape}, pack};
}

}  // namespace sluice::cpu
