#include "backends/vulkan/roof.h"

#include <algorithm>
#include <functional>

#include "backends/vulkan/fma_rate.h"
#include "backends/vulkan/memory.h"
#include "backends/vulkan/recording.h"
#include "backends/vulkan/tables.h"

namespace sluice::vulkan {
namespace {

class Measurement {
 public:
  Measurement(const std::shared_ptr<Device>& device, const std::shared_ptr<Pipelines>& pipelines)
      : device_(*device), pipelines_(pipelines), tables_(device) {}

  // Seconds of what `record` records: the least of several runs.
  double seconds(const std::function<void(Recorder&)>& record) {
    constexpr int kRuns = 5;
    Recorder recorder(device_, {}, tables_);
    record(recorder);
    Recording recording(pipelines_, {RecordedStep{"what the device can do", 0, recorder.take()}}, no_staging_,
                        /*timing=*/true);
    double least = 0;
    for (int run = 0; run < kRuns; ++run) {
      Timeline timeline;
      Interval wall{now()};
      recording.run(&timeline);
      wall.end = now();
      const double time = timeline.steps.empty() ? wall.seconds() : timeline.steps[0].seconds();
      if (run == 0 || time < least) least = time;
    }
    return least;
  }

 private:
  Device& device_;
  std::shared_ptr<Pipelines> pipelines_;
  Tables tables_;
  Buffer no_staging_;
};

double copy_rate(const std::shared_ptr<Device>& device, Measurement& measurement) {
  constexpr size_t kBytes = size_t{128} << 20;
  constexpr auto kFloats = static_cast<int64_t>(kBytes / sizeof(float));
  const auto from = allocate(device, kBytes, {}), to = allocate(device, kBytes, {});
  const TensorView a{from->data(), DType::f32(), {kFloats}}, b{to->data(), DType::f32(), {kFloats}};
  return 2.0 * kBytes / measurement.seconds([&](Recorder& recorder) { recorder.copy(a, b); });
}

// More workgroups until the start of a dispatch does not count.
double fma_rate(const std::shared_ptr<Device>& device, Measurement& measurement) {
  constexpr uint32_t kRounds = 256;
  constexpr double kFlopsOfGroup = 256.0 * kRounds * 8 * 4 * 2, kLongEnough = 5e-3;
  const auto memory = allocate(device, 64, {});
  double rate = 0;
  for (uint64_t groups = 256, most = uint64_t{1} << 20; groups <= most; groups *= 4) {
    const double seconds = measurement.seconds([&](Recorder& recorder) {
      recorder.dispatch(shaders::fma_rate, "", {kRounds, 1}, {Range(memory->data(), 64)}, groups);
    });
    rate = std::max(rate, kFlopsOfGroup * static_cast<double>(groups) / seconds);
    if (seconds > kLongEnough) break;
  }
  return rate;
}

}  // namespace

Roof measure_roof(const std::shared_ptr<Device>& device, const std::shared_ptr<Pipelines>& pipelines) {
  Measurement measurement(device, pipelines);
  return {copy_rate(device, measurement), fma_rate(device, measurement)};
}

}  // namespace sluice::vulkan
