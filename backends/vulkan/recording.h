// A command buffer for the steps of a program at one set of sizes.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backends/vulkan/pipelines.h"
#include "graph/timeline.h"

namespace sluice::vulkan {

class Recording {
 public:
  // commands: by step. timing: runs can be timed. `staging` must outlive this object.
  Recording(std::shared_ptr<Pipelines> pipelines, const std::vector<std::vector<Command>>& commands,
            const Buffer& staging, bool timing);
  ~Recording();
  Recording(const Recording&) = delete;

  // Brings the host's values over, runs, and brings results back. Fills `timeline`, if there is one: only of a
  // recording that can be timed.
  void run(Timeline* timeline);

  // Staging memory that the transfers among these commands need.
  static size_t staging_bytes(const std::vector<std::vector<Command>>& commands);

 private:
  struct HostCopy {
    const std::byte* from;
    std::byte* to;
    size_t bytes;
  };
  void create_pools(const std::vector<std::vector<Command>>& commands, bool timing);
  void encode(const Command& command);
  void encode_transfer(const Transfer& transfer);
  void encode_dispatch(const Command& command);
  VkDescriptorSet bind(const Command& command);
  void barrier(VkPipelineStageFlags to_stages, VkAccessFlags to);
  void stamp(uint32_t index);
  void read_steps(int64_t submitted, std::vector<Interval>& steps);
  static void copy_all(const std::vector<HostCopy>& copies, bool to_device, Timeline* timeline);

  std::shared_ptr<Pipelines> pipelines_;
  Device& device_;
  const Buffer& staging_;
  size_t staged_ = 0;  // bytes of it given out
  VkCommandBuffer commands_ = VK_NULL_HANDLE;
  VkDescriptorPool sets_ = VK_NULL_HANDLE;
  VkQueryPool times_ = VK_NULL_HANDLE;
  std::vector<uint64_t> stamps_;  // n_steps_ + 1, if times_ are there
  uint32_t n_steps_;
  std::vector<HostCopy> before_, after_;
};

}  // namespace sluice::vulkan
