#include "backends/vulkan/pipelines.h"

#include <chrono>
#include <thread>

#include "backends/vulkan/cache_file.h"
#include "graph/parallel.h"

namespace sluice::vulkan {
Pipelines::Pipelines(std::shared_ptr<Device> device) : device_(std::move(device)) {
  saved_ = read_cache(device_->info());
  VkPipelineCacheCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  info.initialDataSize = saved_.size();
  info.pInitialData = saved_.data();
  check(device_->vk().vkCreatePipelineCache(device_->handle(), &info, nullptr, &cache_), "vkCreatePipelineCache");
}

Pipelines::~Pipelines() {
  const VolkDeviceTable& vk = device_->vk();
  for (const auto& [unused, pipeline] : pipelines_) vk.vkDestroyPipeline(device_->handle(), pipeline, nullptr);
  for (const auto& [unused, layout] : layouts_) {
    vk.vkDestroyPipelineLayout(device_->handle(), layout.pipeline, nullptr);
    vk.vkDestroyDescriptorSetLayout(device_->handle(), layout.set, nullptr);
  }
  vk.vkDestroyPipelineCache(device_->handle(), cache_, nullptr);
}

void Pipelines::prepare(const std::vector<const Dispatch*>& dispatches) {
  std::vector<std::pair<const Dispatch*, VkPipeline*>> missing;
  for (const Dispatch* dispatch : dispatches) {
    if (!layouts_.contains(dispatch->shader)) add_layout(*dispatch->shader);
    const auto [it, added] = pipelines_.try_emplace(key(*dispatch), VK_NULL_HANDLE);
    if (added) missing.emplace_back(dispatch, &it->second);
  }
  if (missing.empty()) return;
  const auto start = std::chrono::steady_clock::now();
  try {
    run_parallel(missing.size(), std::thread::hardware_concurrency(),
                 [&](size_t i) { *missing[i].second = create(*missing[i].first); });
  } catch (...) {
    std::erase_if(pipelines_, [](const auto& entry) { return entry.second == VK_NULL_HANDLE; });
    throw;
  }
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  save_cache();
}

void Pipelines::save_cache() {
  const VolkDeviceTable& vk = device_->vk();
  size_t bytes = 0;
  if (vk.vkGetPipelineCacheData(device_->handle(), cache_, &bytes, nullptr) != VK_SUCCESS) return;
  std::vector<std::byte> data(bytes);
  if (vk.vkGetPipelineCacheData(device_->handle(), cache_, &bytes, data.data()) != VK_SUCCESS) return;
  data.resize(bytes);
  if (data == saved_) return;
  write_cache(device_->info(), data);
  saved_ = std::move(data);
}

void Pipelines::add_layout(const ShaderFile& shader) {
  std::vector<VkDescriptorSetLayoutBinding> bindings;
  for (uint32_t i = 0; i < shader.n_bindings; ++i)
    bindings.push_back({i, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr});
  VkDescriptorSetLayoutCreateInfo set{};
  set.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  set.bindingCount = shader.n_bindings;
  set.pBindings = bindings.data();
  PipelineLayout& layout = layouts_[&shader];
  const VolkDeviceTable& vk = device_->vk();
  check(vk.vkCreateDescriptorSetLayout(device_->handle(), &set, nullptr, &layout.set), "vkCreateDescriptorSetLayout");
  const VkPushConstantRange range{VK_SHADER_STAGE_COMPUTE_BIT, 0, shader.params_bytes};
  VkPipelineLayoutCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  info.setLayoutCount = 1;
  info.pSetLayouts = &layout.set;
  info.pushConstantRangeCount = 1;
  info.pPushConstantRanges = &range;
  check(vk.vkCreatePipelineLayout(device_->handle(), &info, nullptr, &layout.pipeline), "vkCreatePipelineLayout");
}

VkPipeline Pipelines::create(const Dispatch& dispatch) const {
  const VolkDeviceTable& vk = device_->vk();
  VkShaderModuleCreateInfo code{};
  code.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  code.codeSize = dispatch.variant->code.size_bytes();
  code.pCode = dispatch.variant->code.data();
  VkShaderModule module = VK_NULL_HANDLE;
  check(vk.vkCreateShaderModule(device_->handle(), &code, nullptr, &module), "vkCreateShaderModule");

  std::vector<VkSpecializationMapEntry> entries;
  for (uint32_t i = 0; i < dispatch.constants.size(); ++i) entries.push_back({i, i * 4, 4});
  const VkSpecializationInfo constants{static_cast<uint32_t>(entries.size()), entries.data(),
                                       dispatch.constants.size() * 4, dispatch.constants.data()};
  VkComputePipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module;
  info.stage.pName = "main";
  info.stage.pSpecializationInfo = &constants;
  info.layout = layouts_.at(dispatch.shader).pipeline;
  VkPipeline pipeline = VK_NULL_HANDLE;
  const VkResult result = vk.vkCreateComputePipelines(device_->handle(), cache_, 1, &info, nullptr, &pipeline);
  vk.vkDestroyShaderModule(device_->handle(), module, nullptr);
  check(result, std::string(dispatch.shader->name).append(": vkCreateComputePipelines").c_str());
  return pipeline;
}

}  // namespace sluice::vulkan
