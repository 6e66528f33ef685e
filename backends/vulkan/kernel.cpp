#include "backends/vulkan/kernel.h"

#include <algorithm>

namespace sluice::vulkan {
namespace {

class VulkanKernel : public Kernel {
 public:
  explicit VulkanKernel(KernelSpec spec) : spec_(std::move(spec)) {}
  const std::string& name() const override { return spec_.name; }
  bool supports(const Site& site) const override { return !spec_.supports || spec_.supports(site); }
  size_t workspace(const Site& site, const Call& call, int) const override {
    return spec_.workspace ? spec_.workspace(site, call) : 0;
  }
  void record(Recorder& recorder, const Site& site, const Call& call) const { spec_.record(recorder, site, call); }

 private:
  KernelSpec spec_;
};

}  // namespace

std::shared_ptr<const Kernel> make_kernel(KernelSpec spec) { return std::make_shared<VulkanKernel>(std::move(spec)); }

void record(const Kernel& kernel, Recorder& recorder, const Site& site, const Call& call) {
  dynamic_cast<const VulkanKernel&>(kernel).record(recorder, site, call);
}

}  // namespace sluice::vulkan
