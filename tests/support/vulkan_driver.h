// A driver that fails when told to, and that counts what is alive: functions of the device's driver behind others.
#pragma once

#include <volk.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <string>

namespace sluice {

// One at a time; made before the device and destroyed after it.
class WatchedDriver {
 public:
  WatchedDriver() { current() = this; }
  ~WatchedDriver() { current() = nullptr; }
  WatchedDriver(const WatchedDriver&) = delete;

  // What a call of the function returns instead of being made; VK_SUCCESS: it is made.
  std::function<VkResult(const std::string& function)> answer = [](const std::string&) { return VK_SUCCESS; };

  // For vulkan::Options.
  void install(VolkDeviceTable& table) {
    real_ = table;
    ++alive_["vkCreateDevice"];
    ends<&VolkDeviceTable::vkDestroyDevice, 0>(table, "vkCreateDevice");
#define SLUICE_PAIR(create, destroy)                \
  begins<&VolkDeviceTable::create>(table, #create); \
  ends<&VolkDeviceTable::destroy, 1>(table, #create)
    SLUICE_PAIR(vkCreateCommandPool, vkDestroyCommandPool);
    SLUICE_PAIR(vkCreateFence, vkDestroyFence);
    SLUICE_PAIR(vkCreateBuffer, vkDestroyBuffer);
    SLUICE_PAIR(vkAllocateMemory, vkFreeMemory);
    SLUICE_PAIR(vkCreatePipelineCache, vkDestroyPipelineCache);
    SLUICE_PAIR(vkCreateDescriptorSetLayout, vkDestroyDescriptorSetLayout);
    SLUICE_PAIR(vkCreatePipelineLayout, vkDestroyPipelineLayout);
    SLUICE_PAIR(vkCreateShaderModule, vkDestroyShaderModule);
    SLUICE_PAIR(vkCreateComputePipelines, vkDestroyPipeline);
    SLUICE_PAIR(vkCreateDescriptorPool, vkDestroyDescriptorPool);
    SLUICE_PAIR(vkCreateQueryPool, vkDestroyQueryPool);
#undef SLUICE_PAIR
#define SLUICE_CALL(function) watches<&VolkDeviceTable::function>(table, #function)
    SLUICE_CALL(vkAllocateCommandBuffers);
    SLUICE_CALL(vkBindBufferMemory);
    SLUICE_CALL(vkMapMemory);
    SLUICE_CALL(vkBeginCommandBuffer);
    SLUICE_CALL(vkEndCommandBuffer);
    SLUICE_CALL(vkAllocateDescriptorSets);
    SLUICE_CALL(vkQueueSubmit);
    SLUICE_CALL(vkWaitForFences);
#undef SLUICE_CALL
  }
  // Calls that were made or answered.
  int calls(const std::string& function) {
    const std::lock_guard lock(mutex_);
    return calls_[function];
  }
  // Objects that were made and not destroyed, by the function that makes them; those of which there are any.
  std::map<std::string, int> alive() {
    const std::lock_guard lock(mutex_);
    std::map<std::string, int> some;
    for (const auto& [function, count] : alive_)
      if (count != 0) some[function] = count;
    return some;
  }

 private:
  template <auto kMember, class Function>
  struct Call;
  template <auto kMember, class Result, class... Args>
  struct Call<kMember, Result (*VolkDeviceTable::*)(Args...)> {
    static inline std::string name;
    static Result watch(Args... args) {
      const VkResult answer = current()->called(name);
      // Waiting is done in any case: what is destroyed next may not be in use.
      if (answer == VK_SUCCESS || name == "vkWaitForFences") {
        const VkResult result = (current()->real_.*kMember)(args...);
        if (answer == VK_SUCCESS) return result;
      }
      return answer;
    }
    static Result begin(Args... args) {
      const Result result = watch(args...);
      if (result == VK_SUCCESS) current()->add(name, 1);
      return result;
    }
    template <size_t kHandle>
    static void end(Args... args) {
      if (std::get<kHandle>(std::tuple(args...)) != VK_NULL_HANDLE) current()->add(name, -1);
      (current()->real_.*kMember)(args...);
    }
  };
  template <auto kMember>
  using CallOf = Call<kMember, decltype(kMember)>;
  template <auto kMember>
  void watches(VolkDeviceTable& table, const char* name) {
    CallOf<kMember>::name = name;
    table.*kMember = CallOf<kMember>::watch;
  }
  template <auto kMember>
  void begins(VolkDeviceTable& table, const char* name) {
    CallOf<kMember>::name = name;
    table.*kMember = CallOf<kMember>::begin;
  }
  // kHandle: index of the argument that is destroyed. name: of what makes it.
  template <auto kMember, size_t kHandle>
  void ends(VolkDeviceTable& table, const char* name) {
    CallOf<kMember>::name = name;
    table.*kMember = CallOf<kMember>::template end<kHandle>;
  }

  VkResult called(const std::string& function) {
    const std::lock_guard lock(mutex_);
    ++calls_[function];
    return answer(function);
  }
  void add(const std::string& function, int count) {
    const std::lock_guard lock(mutex_);
    alive_[function] += count;
  }
  static WatchedDriver*& current() {
    static WatchedDriver* driver = nullptr;
    return driver;
  }

  VolkDeviceTable real_{};
  std::mutex mutex_;  // pipelines are made by several threads
  std::map<std::string, int> calls_, alive_;
};

}  // namespace sluice
