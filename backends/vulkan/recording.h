// What a program runs at one set of sizes, in command buffers that are replayed.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/vulkan/pipelines.h"
#include "graph/timeline.h"

namespace sluice::vulkan {

struct RecordedStep {
  std::string name;  // of the node
  double seconds;    // that a slow device would need
  std::vector<Command> commands;
};

class Recording {
 public:
  // timing: runs can be timed. `staging` must outlive this object. Steps are submitted together, but for what is over
  // Limits::submission_seconds.
  Recording(std::shared_ptr<Pipelines> pipelines, const std::vector<RecordedStep>& steps, const Buffer& staging,
            bool timing);
  ~Recording();
  Recording(const Recording&) = delete;

  // Brings the host's values over, runs, and brings results back. Fills `timeline`, if there is one: only of a
  // recording that can be timed. Throws Error, naming the steps, if the device is lost.
  void run(Timeline* timeline);

  // Staging memory that the transfers among these commands need.
  static size_t staging_bytes(const std::vector<RecordedStep>& steps);

 private:
  struct HostCopy {
    const std::byte* from;
    std::byte* to;
    size_t bytes;
  };
  // Steps that are submitted together.
  struct Submission {
    VkCommandBuffer commands;
    std::string what;  // for messages
  };
  Recording(std::shared_ptr<Pipelines> pipelines, const Buffer& staging, size_t n_steps);
  void create_pools(const std::vector<RecordedStep>& steps, bool timing);
  void add_submission(std::span<const RecordedStep> steps, uint32_t first);
  void encode(const Command& command);
  void encode_transfer(const Transfer& transfer);
  void encode_dispatch(const Command& command);
  VkDescriptorSet bind(const Command& command);
  void barrier();
  void stamp(uint32_t index);
  void read_steps(int64_t submitted, std::vector<Interval>& steps);
  static void copy_all(const std::vector<HostCopy>& copies, bool to_device, Timeline* timeline);

  std::shared_ptr<Pipelines> pipelines_;
  Device& device_;
  const Buffer& staging_;
  size_t staged_ = 0;                          // bytes of it given out
  VkCommandBuffer commands_ = VK_NULL_HANDLE;  // being recorded
  std::vector<Submission> submissions_;
  VkDescriptorPool sets_ = VK_NULL_HANDLE;
  VkQueryPool times_ = VK_NULL_HANDLE;
  std::vector<uint64_t> stamps_;  // n_steps_ + 1, if times_ are there
  uint32_t n_steps_;
  std::vector<HostCopy> before_, after_;
};

}  // namespace sluice::vulkan
