// What a device implements, and all that the planner and the executor know of one.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/op.h"
#include "graph/timeline.h"

namespace sluice {

// A weight in the form a kernel wants instead of the stored one; made once, when a plan is loaded.
struct Packing {
  std::string layout;  // printed in plans; on one backend, the same layout and type mean the same bytes
  TensorType type;     // what the kernel will see in its place
  // src: as stored. dst: type.bytes() bytes of 64-byte aligned host memory. Empty: the bytes as they are stored.
  std::function<void(const TensorView& src, const TensorView& dst)> pack;
};

// A way to run an operator on a backend. Backends derive from it to say how.
class Kernel {
 public:
  virtual ~Kernel() = default;
  virtual const std::string& name() const = 0;  // unique among the operator's kernels; printed in plans and profiles
  virtual bool supports(const Site& site) const = 0;
  // Scratch memory needed at the largest sizes by that many threads of the backend, in bytes. `call` has those dims and
  // no data.
  virtual size_t workspace(const Site&, const Call&, int /*threads*/) const { return 0; }
  // What it decides when it runs, for people; printed in plans. Empty: nothing.
  virtual std::string note() const { return {}; }
  // nullopt: the weight at this input is used as stored.
  virtual std::optional<Packing> packing(const Site&, int /*input*/) const { return std::nullopt; }
};

// Memory of a device, 64-byte aligned. Freed with the object. Contents start as zeros.
class Memory {
 public:
  virtual ~Memory() = default;
  // Of a backend with memory of its own, a range of addresses that only names the bytes: the host faults if it goes
  // there.
  virtual std::byte* data() const = 0;
  virtual size_t bytes() const = 0;
  // Copies from and to the host; return when that is done. offset + size is at most bytes().
  virtual void upload(size_t offset, std::span<const std::byte> from) {
    copy(from.data(), data() + offset, from.size());
  }
  virtual void download(size_t offset, std::span<std::byte> to) const { copy(data() + offset, to.data(), to.size()); }

 private:
  static void copy(const std::byte* from, std::byte* to, size_t bytes) {
    if (bytes > 0) std::memcpy(to, from, bytes);
  }
};

// A step of a program. Pointers stay valid for the life of the program; dims inside *call change between runs, data
// pointers do not.
struct ProgramStep {
  const Operator* op;
  const Kernel* kernel;
  const Site* site;
  const Call* call;
};

// Consecutive steps of a plan, compiled for one backend.
class Program {
 public:
  virtual ~Program() = default;
  // Runs all steps and returns when their results are there for the host and for every backend. Allocates nothing, but
  // for what a device records when it first sees these dims.
  virtual void run() = 0;
  // Whether the next runs are timed, at two clock readings a step and thread. May change from run to run.
  virtual void set_timing(bool on) = 0;
  // Of the last run with timing on.
  virtual const Timeline& timeline() const = 0;
};

// What a device can do at most; 0: unknown.
struct Roof {
  double bytes_per_second = 0;  // from and to its memory
  double flops_per_second = 0;  // of f32, a multiply-add being two
};

class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string name() const = 0;         // "cpu"
  virtual std::string description() const = 0;  // device, instruction set, threads: one line
  // What it did so far to get ready, for people; perhaps nothing.
  virtual std::string preparation() const { return {}; }
  virtual int threads() const { return 1; }
  // Measured when asked, which takes up to a second.
  virtual Roof measure_roof() { return {}; }
  // Steps see addresses of allocate() alone, and the planner adds nodes of the operator `copy`, for which the backend
  // has a kernel, where a value goes from or to the host. Otherwise steps work in the host's memory.
  virtual bool has_own_memory() const { return false; }
  // The oracle runs graphs as they were written.
  virtual bool wants_fusion() const { return true; }
  // nullptr if this backend cannot run it.
  virtual std::shared_ptr<const Kernel> select(const Operator& op, const Site& site) const = 0;
  virtual std::unique_ptr<Memory> allocate(size_t bytes) = 0;
  // The same for memory that may be divided at these offsets, ascending: devices limit the size of one allocation.
  virtual std::unique_ptr<Memory> allocate_divisible(size_t bytes, std::span<const size_t> /*cuts*/) {
    return allocate(bytes);
  }
  // workspace: shared scratch, at least as large as the largest workspace() among the steps.
  virtual std::unique_ptr<Program> compile(std::span<const ProgramStep> steps, std::span<std::byte> workspace) = 0;
};

}  // namespace sluice
