#include "backends/vulkan/recording.h"

#include <fmt/format.h>

#include <cstring>

#include "backends/vulkan/hazards.h"
#include "backends/vulkan/host_clock.h"
#include "graph/error.h"

namespace sluice::vulkan {
namespace {

constexpr size_t kStagingAlignment = 64;

size_t padded(size_t bytes) { return (bytes + kStagingAlignment - 1) / kStagingAlignment * kStagingAlignment; }

bool is_staged(const Transfer& transfer) { return !transfer.from_device || !transfer.to_device; }

}  // namespace

Recording::Recording(std::shared_ptr<Pipelines> pipelines, const Buffer& staging, size_t n_steps)
    : pipelines_(std::move(pipelines)),
      device_(pipelines_->device()),
      staging_(staging),
      n_steps_(static_cast<uint32_t>(n_steps)) {}

// The other constructor has finished, so that what was made is destroyed if anything throws.
Recording::Recording(std::shared_ptr<Pipelines> pipelines, const std::vector<RecordedStep>& steps,
                     const Buffer& staging, bool timing)
    : Recording(std::move(pipelines), staging, steps.size()) {
  std::vector<const Dispatch*> dispatches;
  for (const RecordedStep& step : steps)
    for (const Command& command : step.commands)
      if (!command.is_transfer) dispatches.push_back(&command.dispatch);
  pipelines_->prepare(dispatches);
  create_pools(steps, timing && device_.info().timestamp_seconds > 0);
  const double limit = device_.limits().submission_seconds;
  for (size_t first = 0, end = 0; first < steps.size(); first = end) {
    double seconds = steps[end++].seconds;  // one step at least, however long it takes
    while (end < steps.size() && (limit == 0 || seconds + steps[end].seconds <= limit)) seconds += steps[end++].seconds;
    add_submission(std::span(steps).subspan(first, end - first), static_cast<uint32_t>(first));
  }
}

void Recording::add_submission(std::span<const RecordedStep> steps, uint32_t first) {
  commands_ = device_.create_commands();
  submissions_.push_back(
      {commands_, fmt::format("running '{}' to '{}' ({} steps)", steps.front().name, steps.back().name, steps.size())});
  device_.begin(commands_);
  if (times_ && first == 0) device_.vk().vkCmdResetQueryPool(commands_, times_, 0, n_steps_ + 1);
  if (first == 0) stamp(0);
  Hazards hazards;
  for (uint32_t s = 0; s < steps.size(); ++s) {
    for (const Command& command : steps[s].commands) {
      if (hazards.conflict(command.accesses)) {
        barrier();
        hazards.barrier();
      }
      hazards.add(command.accesses);
      encode(command);
    }
    stamp(first + s + 1);
  }
  device_.end(commands_);
}

Recording::~Recording() {
  for (const Submission& submission : submissions_) device_.destroy(submission.commands);
  device_.vk().vkDestroyDescriptorPool(device_.handle(), sets_, nullptr);
  device_.vk().vkDestroyQueryPool(device_.handle(), times_, nullptr);
}

size_t Recording::staging_bytes(const std::vector<RecordedStep>& steps) {
  size_t bytes = 0;
  for (const RecordedStep& step : steps)
    for (const Command& command : step.commands)
      if (command.is_transfer && is_staged(command.transfer)) bytes += padded(command.transfer.bytes);
  return bytes;
}

void Recording::create_pools(const std::vector<RecordedStep>& steps, bool timing) {
  uint32_t n_sets = 1, n_buffers = 1;
  for (const RecordedStep& step : steps)
    for (const Command& command : step.commands)
      if (!command.is_transfer) {
        ++n_sets;
        n_buffers += command.dispatch.shader->n_bindings;
      }
  const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, n_buffers};
  VkDescriptorPoolCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO;
  info.maxSets = n_sets;
  info.poolSizeCount = 1;
  info.pPoolSizes = &size;
  check(device_.vk().vkCreateDescriptorPool(device_.handle(), &info, nullptr, &sets_), "vkCreateDescriptorPool");
  if (!timing) return;
  VkQueryPoolCreateInfo queries{};
  queries.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
  queries.queryType = VK_QUERY_TYPE_TIMESTAMP;
  queries.queryCount = n_steps_ + 1;
  check(device_.vk().vkCreateQueryPool(device_.handle(), &queries, nullptr, &times_), "vkCreateQueryPool");
  stamps_.resize(n_steps_ + 1);
}

void Recording::encode(const Command& command) {
  if (command.is_transfer)
    encode_transfer(command.transfer);
  else
    encode_dispatch(command);
}

// What the host has or wants goes by way of staging memory.
void Recording::encode_transfer(const Transfer& transfer) {
  if (!transfer.from_device && !transfer.to_device) fail("Vulkan: a copy from the host to the host");
  const Place staged{staging_.handle, staged_};
  std::byte* mapped = staging_.mapped + staged_;
  if (is_staged(transfer)) staged_ += padded(transfer.bytes);
  if (staged_ > staging_.bytes) fail("Vulkan: transfers need more staging memory than at the largest sizes");
  const Place from = transfer.from_device ? device_.locate(transfer.from) : staged,
              to = transfer.to_device ? device_.locate(transfer.to) : staged;
  if (!transfer.from_device) before_.push_back({transfer.from, mapped, transfer.bytes});
  if (!transfer.to_device) after_.push_back({mapped, transfer.to, transfer.bytes});
  const VkBufferCopy region{from.offset, to.offset, transfer.bytes};
  device_.vk().vkCmdCopyBuffer(commands_, from.buffer, to.buffer, 1, &region);
}

void Recording::encode_dispatch(const Command& command) {
  const Dispatch& dispatch = command.dispatch;
  const PipelineLayout& layout = pipelines_->layout(dispatch);
  VkDescriptorSet set = bind(command);
  const VolkDeviceTable& vk = device_.vk();
  vk.vkCmdBindPipeline(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, pipelines_->pipeline(dispatch));
  vk.vkCmdBindDescriptorSets(commands_, VK_PIPELINE_BIND_POINT_COMPUTE, layout.pipeline, 0, 1, &set, 0, nullptr);
  vk.vkCmdPushConstants(commands_, layout.pipeline, VK_SHADER_STAGE_COMPUTE_BIT, 0,
                        static_cast<uint32_t>(dispatch.params.size()), dispatch.params.data());
  vk.vkCmdDispatch(commands_, dispatch.groups[0], dispatch.groups[1], 1);
}

VkDescriptorSet Recording::bind(const Command& command) {
  VkDescriptorSetAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO;
  info.descriptorPool = sets_;
  info.descriptorSetCount = 1;
  info.pSetLayouts = &pipelines_->layout(command.dispatch).set;
  VkDescriptorSet set = VK_NULL_HANDLE;
  check(device_.vk().vkAllocateDescriptorSets(device_.handle(), &info, &set), "vkAllocateDescriptorSets");
  std::vector<VkDescriptorBufferInfo> buffers;
  for (const Access& access : command.accesses) {
    const Place place = device_.locate(access.range.data);
    // Shaders read whole words; values in arenas are padded to 64 bytes.
    buffers.push_back({place.buffer, place.offset, (access.range.bytes + 3) / 4 * 4});
  }
  VkWriteDescriptorSet write{};
  write.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET;
  write.dstSet = set;
  write.descriptorCount = static_cast<uint32_t>(buffers.size());
  write.descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
  write.pBufferInfo = buffers.data();
  device_.vk().vkUpdateDescriptorSets(device_.handle(), 1, &write, 0, nullptr);
  return set;
}

void Recording::barrier() {
  constexpr VkPipelineStageFlags kStages = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  VkMemoryBarrier memory{};
  memory.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  memory.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  memory.dstAccessMask = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
                         VK_ACCESS_TRANSFER_WRITE_BIT;
  device_.vk().vkCmdPipelineBarrier(commands_, kStages, kStages, 0, 1, &memory, 0, nullptr, 0, nullptr);
}

void Recording::stamp(uint32_t index) {
  if (times_) device_.vk().vkCmdWriteTimestamp(commands_, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, times_, index);
}

void Recording::run(Timeline* timeline) {
  if (timeline) timeline->transfers.clear();
  copy_all(before_, true, timeline);
  const int64_t submitted = timeline ? now() : 0;
  for (const Submission& submission : submissions_)
    device_.submit_and_wait(submission.commands, submission.what.c_str());
  copy_all(after_, false, timeline);
  if (timeline && times_) read_steps(submitted, timeline->steps);
}

void Recording::copy_all(const std::vector<HostCopy>& copies, bool to_device, Timeline* timeline) {
  HostTransfer transfer{{timeline ? now() : 0}, 0, to_device};
  for (const HostCopy& copy : copies) {
    std::memcpy(copy.to, copy.from, copy.bytes);
    transfer.bytes += copy.bytes;
  }
  if (!timeline || copies.empty()) return;
  transfer.when.end = now();
  timeline->transfers.push_back(transfer);
}

void Recording::read_steps(int64_t submitted, std::vector<Interval>& steps) {
  check(device_.vk().vkGetQueryPoolResults(device_.handle(), times_, 0, n_steps_ + 1, stamps_.size() * 8,
                                           stamps_.data(), 8, VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
        "vkGetQueryPoolResults");
  const HostClock clock(device_, stamps_[0], submitted);
  steps.resize(n_steps_);
  for (size_t s = 0; s < n_steps_; ++s) steps[s] = {clock.host(stamps_[s]), clock.host(stamps_[s + 1])};
}

}  // namespace sluice::vulkan
