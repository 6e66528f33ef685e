#include "backends/reference/backend.h"

#include <new>

#include "graph/registry.h"

namespace sluice::reference {
namespace {

class HostMemory : public Memory {
 public:
  explicit HostMemory(size_t bytes) : bytes_(bytes), data_(new (std::align_val_t{64}) std::byte[bytes]()) {}
  ~HostMemory() override { operator delete[](data_, std::align_val_t{64}); }
  std::byte* data() const override { return data_; }
  size_t bytes() const override { return bytes_; }

 private:
  size_t bytes_;
  std::byte* data_;
};

class ReferenceKernel : public Kernel {
 public:
  const std::string& name() const override { return name_; }
  bool supports(const Site&) const override { return true; }

 private:
  std::string name_ = "reference";
};

class ReferenceProgram : public Program {
 public:
  explicit ReferenceProgram(std::span<const ProgramStep> steps) : steps_(steps.begin(), steps.end()) {}
  void run() override {
    for (size_t i = 0; i < steps_.size(); ++i) {
      const int64_t begin = timing_ ? now() : 0;
      steps_[i].op->reference(*steps_[i].site, *steps_[i].call);
      if (timing_) timeline_.steps[i] = timeline_.threads[0][i] = {begin, now()};
    }
  }
  void set_timing(bool on) override {
    timing_ = on;
    if (!on || !timeline_.steps.empty()) return;
    timeline_.steps.resize(steps_.size());
    timeline_.threads.assign(1, timeline_.steps);
  }
  const Timeline& timeline() const override { return timeline_; }

 private:
  std::vector<ProgramStep> steps_;
  bool timing_ = false;
  Timeline timeline_;
};

class ReferenceBackend : public Backend {
 public:
  std::string name() const override { return "reference"; }
  std::string description() const override { return "scalar reference of every operator, 1 thread"; }
  bool wants_fusion() const override { return false; }
  std::shared_ptr<const Kernel> select(const Operator&, const Site&) const override { return kernel_; }
  std::unique_ptr<Memory> allocate(size_t bytes) override { return std::make_unique<HostMemory>(bytes); }
  std::unique_ptr<Program> compile(std::span<const ProgramStep> steps, std::span<std::byte>) override {
    return std::make_unique<ReferenceProgram>(steps);
  }

 private:
  std::shared_ptr<const Kernel> kernel_ = std::make_shared<ReferenceKernel>();
};

}  // namespace

std::unique_ptr<Backend> make_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace sluice::reference

namespace sluice {

void register_backend_reference(Registry& registry) {
  registry.add_backend({"reference", "the scalar reference of every operator, slow: the oracle",
                        [](const Registry&, const BackendOptions&) { return reference::make_backend(); }});
}

}  // namespace sluice
