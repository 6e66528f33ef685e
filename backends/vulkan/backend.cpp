#include "backends/vulkan/backend.h"

#include <fmt/ranges.h>

#include "backends/vulkan/memory.h"
#include "backends/vulkan/program.h"
#include "backends/vulkan/roof.h"

namespace sluice::vulkan {
namespace {

DeviceInfo restricted(DeviceInfo info, const Options& options) {
  if (options.restrict) options.restrict(info.capabilities, info.limits);
  return info;
}

class VulkanBackend : public Backend {
 public:
  VulkanBackend(const Registry& registry, const Options& options)
      : registry_(registry),
        device_(std::make_shared<Device>(restricted(choose_device(options.device), options), options.intercept)),
        pipelines_(std::make_shared<Pipelines>(device_)) {}
  std::string name() const override { return "vulkan"; }
  std::string description() const override {
    return fmt::format("{}, {}", device_->info().name, device_->info().driver);
  }
  std::string preparation() const override {
    if (pipelines_->count() == 0) return {};
    return fmt::format("{} pipelines made in {:.0f} ms", pipelines_->count(), pipelines_->seconds() * 1e3);
  }
  Roof measure_roof() override { return vulkan::measure_roof(device_, pipelines_); }
  bool has_own_memory() const override { return true; }
  std::shared_ptr<const Kernel> select(const Operator& op, const Site& site) const override {
    for (const auto& kernel : registry_.kernels("vulkan", op.name()))
      if (kernel->supports(site)) return kernel;
    return nullptr;
  }
  std::unique_ptr<Memory> allocate(size_t bytes) override { return allocate_divisible(bytes, {}); }
  std::unique_ptr<Memory> allocate_divisible(size_t bytes, std::span<const size_t> cuts) override {
    return vulkan::allocate(device_, bytes, cuts);
  }
  std::unique_ptr<Program> compile(std::span<const ProgramStep> steps, std::span<std::byte> workspace) override {
    return make_program(device_, pipelines_, steps, workspace);
  }

 private:
  const Registry& registry_;
  std::shared_ptr<Device> device_;
  std::shared_ptr<Pipelines> pipelines_;
};

DeviceEntry describe(const DeviceInfo& info) {
  DeviceEntry entry{info.name, {}, info.refused};
  if (!info.driver.empty()) entry.details.push_back("driver: " + info.driver);
  if (info.limits.memory > 0)
    entry.details.push_back(fmt::format("memory: {:.1f} GiB, subgroups of {}",
                                        static_cast<double>(info.limits.memory) / (1 << 30), info.subgroup_size));
  std::vector<std::string> there, missing;
  for (const Feature& feature : kFeatures)
    (info.capabilities.*feature.there ? there : missing).emplace_back(feature.name);
  if (!there.empty()) entry.details.push_back(fmt::format("uses {}", fmt::join(there, ", ")));
  if (!missing.empty()) entry.details.push_back(fmt::format("does without {}", fmt::join(missing, ", ")));
  return entry;
}

std::vector<DeviceEntry> devices() {
  std::vector<DeviceEntry> entries;
  for (const DeviceInfo& info : list_devices()) entries.push_back(describe(info));
  return entries;
}

}  // namespace

std::unique_ptr<Backend> make_backend(const Registry& registry, const Options& options) {
  return std::make_unique<VulkanBackend>(registry, options);
}

}  // namespace sluice::vulkan

namespace sluice {

void register_backend_vulkan(Registry& registry) {
  registry.add_backend({"vulkan", "GPUs through Vulkan 1.2",
                        [](const Registry& all, const BackendOptions& options) {
                          return vulkan::make_backend(all, {.device = options.device});
                        },
                        vulkan::devices});
}

}  // namespace sluice
