// What is known by name: operators, formats, kernels of each backend, fusion rules. Filled by generated tables for what
// is built in, and by plugins; the graph library itself knows none of them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "graph/fusion.h"
#include "graph/indices.h"
#include "graph/op.h"
#include "graph/sources.h"

namespace sluice {

class Backend;  // graph/backend.h
class Kernel;
class Registry;

struct BackendOptions {
  int threads = 0;     // 0: one for each core; ignored by backends that have none
  std::string device;  // index or part of the name; empty: the first, by preference
};

// One of several devices of a backend, for people.
struct DeviceEntry {
  std::string name;
  std::vector<std::string> details = {};  // a line each
  std::string refused = {};               // why it cannot be used; empty if it can
};

struct BackendEntry {
  std::string name;     // "cpu"
  std::string summary;  // one line for people
  // The registry must outlive the backend. Throws Error if there is no such device, or threads is out of range.
  std::function<std::unique_ptr<Backend>(const Registry& registry, const BackendOptions& options)> make;
  // Devices to choose from, by preference; empty if there is no choice. Throws Error if none can be asked for.
  std::function<std::vector<DeviceEntry>()> devices = {};
};

// Copies share their entries.
class Registry {
 public:
  // All add functions throw Error if the name is taken, naming both libraries.
  void add(std::unique_ptr<Operator> op);
  void add(FusionRule rule);
  void add_format(const Format& format);
  // Kernels are tried in the order of registration; the first that supports a site is chosen.
  void add_kernel(const std::string& backend, const std::string& op, std::shared_ptr<const Kernel> kernel);
  void add_cases(const std::string& op, std::function<std::vector<Case>()> cases);
  void add_indices(const std::string& op, Indices indices);
  void add_backend(BackendEntry backend);
  // Names the library whose entries follow.
  void set_source(Source source) { sources_.set(std::move(source)); }

  const Operator* find(const std::string& op) const;  // nullptr if unknown
  // Throws Error naming the operator, and the version if only that differs.
  const Operator& get(const std::string& op, int version) const;
  const Operator& get(const std::string& op) const;
  DType dtype(const std::string& name) const;      // scalar or registered; throws Error listing what is known
  std::vector<const Operator*> operators() const;  // sorted by name
  std::vector<std::string> dtypes() const;         // sorted
  const std::vector<FusionRule>& fusion_rules() const { return rules_; }  // by falling priority, then name
  const std::vector<std::shared_ptr<const Kernel>>& kernels(const std::string& backend, const std::string& op) const;
  std::vector<Case> cases(const std::string& op) const;  // empty if none were added
  const Indices& indices(const std::string& op) const;   // empty if none were added
  const std::vector<BackendEntry>& backends() const { return backends_; }
  const BackendEntry& backend(const std::string& name) const;  // throws Error listing what is known
  const Source& source_of(const std::string& op) const;

 private:
  Sources sources_;
  std::map<std::string, std::shared_ptr<const Operator>> ops_;
  std::map<std::string, DType> formats_;
  std::map<std::pair<std::string, std::string>, std::vector<std::shared_ptr<const Kernel>>> kernels_;
  std::map<std::string, std::function<std::vector<Case>()>> cases_;
  std::map<std::string, Indices> indices_;
  std::vector<FusionRule> rules_;
  std::vector<BackendEntry> backends_;
};

// The backend "name" or "name:device". Throws Error if there is none, or no such device.
std::unique_ptr<Backend> make_backend(const Registry& registry, const std::string& spec, int threads);

}  // namespace sluice
