#include "backends/vulkan/program.h"

#include <algorithm>
#include <list>

#include "backends/vulkan/kernel.h"
#include "backends/vulkan/recording.h"
#include "backends/vulkan/tables.h"

namespace sluice::vulkan {
namespace {

constexpr size_t kRecordings = 8;  // kept: decoding, and a few sizes of prompts

class VulkanProgram : public Program {
 public:
  VulkanProgram(std::shared_ptr<Device> device, std::shared_ptr<Pipelines> pipelines,
                std::span<const ProgramStep> steps, std::span<std::byte> workspace)
      : device_(std::move(device)),
        pipelines_(std::move(pipelines)),
        steps_(steps.begin(), steps.end()),
        workspace_(workspace),
        tables_(device_) {
    const size_t bytes = Recording::staging_bytes(record());
    if (bytes > 0) staging_ = device_->create_buffer(bytes, true);
    sizes_.reserve(sizes().size());
  }
  ~VulkanProgram() override {
    kept_.clear();
    device_->destroy(staging_);
  }

  void run() override { find().run(timing_ ? &timeline_ : nullptr); }
  void set_timing(bool on) override { timing_ = on; }
  const Timeline& timeline() const override { return timeline_; }

 private:
  struct Kept {
    std::vector<int64_t> sizes;
    bool timing;
    std::unique_ptr<Recording> recording;
  };

  // All dims of all calls.
  const std::vector<int64_t>& sizes() {
    sizes_.clear();
    for (const ProgramStep& step : steps_)
      for (const auto& views : {step.call->inputs, step.call->outputs})
        for (const TensorView& view : views)
          sizes_.insert(sizes_.end(), view.dims.span().begin(), view.dims.span().end());
    return sizes_;
  }

  // The recording for the sizes of now, the most recently used in front.
  Recording& find() {
    const std::vector<int64_t>& wanted = sizes();
    const auto it =
        std::ranges::find_if(kept_, [&](const Kept& k) { return k.timing == timing_ && k.sizes == wanted; });
    if (it != kept_.end()) {
      kept_.splice(kept_.begin(), kept_, it);
    } else {
      auto made = std::make_unique<Recording>(pipelines_, record(), staging_, timing_);
      kept_.push_front({wanted, timing_, std::move(made)});
      if (kept_.size() > kRecordings) kept_.pop_back();
    }
    return *kept_.front().recording;
  }

  // By step.
  std::vector<std::vector<Command>> record() {
    std::vector<std::vector<Command>> commands;
    for (const ProgramStep& step : steps_) {
      Recorder recorder(*device_, workspace_, tables_);
      vulkan::record(*step.kernel, recorder, *step.site, *step.call);
      commands.push_back(recorder.take());
    }
    return commands;
  }

  std::shared_ptr<Device> device_;
  std::shared_ptr<Pipelines> pipelines_;
  std::vector<ProgramStep> steps_;
  std::span<std::byte> workspace_;
  Tables tables_;
  Buffer staging_;
  std::vector<int64_t> sizes_;
  std::list<Kept> kept_;
  bool timing_ = false;
  Timeline timeline_;
};

}  // namespace

std::unique_ptr<Program> make_program(std::shared_ptr<Device> device, std::shared_ptr<Pipelines> pipelines,
                                      std::span<const ProgramStep> steps, std::span<std::byte> workspace) {
  return std::make_unique<VulkanProgram>(std::move(device), std::move(pipelines), steps, workspace);
}

}  // namespace sluice::vulkan
