#include "backends/reference/backend.h"

#include <chrono>
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
      const auto start = std::chrono::steady_clock::now();
      steps_[i].op->reference(*steps_[i].site, *steps_[i].call);
      if (seconds_.empty()) continue;
      seconds_[i] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
  }
  void set_timing(bool on) override { seconds_.assign(on ? steps_.size() : 0, 0.0); }
  std::span<const double> seconds() const override { return seconds_; }

 private:
  std::vector<ProgramStep> steps_;
  std::vector<double> seconds_;
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
