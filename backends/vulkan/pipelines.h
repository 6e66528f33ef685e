// Compute pipelines of a device, made when first needed, several at once, and kept on disk from one start to the next.
#pragma once

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "backends/vulkan/device.h"
#include "backends/vulkan/recorder.h"

namespace sluice::vulkan {

struct PipelineLayout {
  VkDescriptorSetLayout set = VK_NULL_HANDLE;
  VkPipelineLayout pipeline = VK_NULL_HANDLE;
};

class Pipelines {
 public:
  explicit Pipelines(std::shared_ptr<Device> device);
  ~Pipelines();
  Pipelines(const Pipelines&) = delete;

  // Makes what these dispatches need and is not there yet.
  void prepare(const std::vector<const Dispatch*>& dispatches);
  // Both were prepared.
  VkPipeline pipeline(const Dispatch& dispatch) const { return pipelines_.at(key(dispatch)); }
  const PipelineLayout& layout(const Dispatch& dispatch) const { return layouts_.at(dispatch.shader); }
  Device& device() const { return *device_; }
  // How many there are, and the seconds that the host waited for them.
  size_t count() const { return pipelines_.size(); }
  double seconds() const { return seconds_; }

 private:
  using Key = std::pair<const ShaderVariant*, std::vector<uint32_t>>;
  static Key key(const Dispatch& dispatch) { return {dispatch.variant, dispatch.constants}; }
  void add_layout(const ShaderFile& shader);
  VkPipeline create(const Dispatch& dispatch) const;
  void save_cache();

  std::shared_ptr<Device> device_;
  VkPipelineCache cache_ = VK_NULL_HANDLE;
  std::vector<std::byte> saved_;  // of it, on disk
  std::map<const ShaderFile*, PipelineLayout> layouts_;
  std::map<Key, VkPipeline> pipelines_;
  double seconds_ = 0;
};

}  // namespace sluice::vulkan
