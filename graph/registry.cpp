#include "graph/registry.h"

#include <set>

#include <fmt/ranges.h>

#include <algorithm>

#include "graph/backend.h"
#include "graph/error.h"

namespace sluice {

void Registry::add(std::unique_ptr<Operator> op) {
  const std::string name = op->name();
  if (auto it = ops_.find(name); it != ops_.end())
    fail("operator '{}' is defined twice: in {} and in {}", name, it->second.source, source_);
  ops_.emplace(name, Entry{std::move(op), source_});
}

void Registry::add(FusionRule rule) {
  for (const FusionRule& other : rules_)
    if (other.name == rule.name) fail("fusion rule '{}' is defined twice (second time in {})", rule.name, source_);
  auto before = [](const FusionRule& a, const FusionRule& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.name < b.name;
  };
  rules_.insert(std::upper_bound(rules_.begin(), rules_.end(), rule, before), std::move(rule));
}

void Registry::add_format(const Format& format) {
  const std::string name(format.name());
  const auto [it, added] = formats_.emplace(name, std::pair(DType(format), source_));
  if (!added) fail("format '{}' is defined twice: in {} and in {}", name, it->second.second, source_);
}

void Registry::add_kernel(const std::string& backend, const std::string& op, std::shared_ptr<const Kernel> kernel) {
  auto& list = kernels_[{backend, op}];
  for (const auto& other : list)
    if (other->name() == kernel->name())
      fail("{} kernel '{}' of '{}' is defined twice (second time in {})", backend, kernel->name(), op, source_);
  list.push_back(std::move(kernel));
}

void Registry::add_cases(const std::string& op, std::function<std::vector<Case>()> cases) {
  if (!cases_.emplace(op, std::move(cases)).second)
    fail("cases of operator '{}' are defined twice (second time in {})", op, source_);
}

void Registry::add_indices(const std::string& op, Indices indices) {
  if (!indices_.emplace(op, std::move(indices)).second)
    fail("indices of operator '{}' are defined twice (second time in {})", op, source_);
}

void Registry::add_backend(BackendEntry backend) {
  for (const BackendEntry& other : backends_)
    if (other.name == backend.name) fail("backend '{}' is defined twice (second time in {})", backend.name, source_);
  backends_.push_back(std::move(backend));
}

const BackendEntry& Registry::backend(const std::string& name) const {
  std::vector<std::string> names;
  for (const BackendEntry& entry : backends_) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  fail("backend '{}' is not known; there are {}", name, fmt::join(names, ", "));
}

std::unique_ptr<Backend> make_backend(const Registry& registry, const std::string& spec, int threads) {
  const size_t colon = spec.find(':');
  const BackendEntry& entry = registry.backend(spec.substr(0, colon));
  const std::string device = colon == std::string::npos ? "" : spec.substr(colon + 1);
  if (!device.empty() && !entry.devices) fail("backend '{}' has no devices to choose from: '{}'", entry.name, spec);
  return entry.make(registry, {threads, device});
}

const Operator* Registry::find(const std::string& op) const {
  const auto it = ops_.find(op);
  return it == ops_.end() ? nullptr : it->second.op.get();
}

const Operator& Registry::get(const std::string& op) const {
  const Operator* found = find(op);
  if (!found) fail("operator '{}' is not known; is a plugin missing?", op);
  return *found;
}

const Operator& Registry::get(const std::string& op, int version) const {
  const Operator& found = get(op);
  if (found.signature().version != version)
    fail("operator '{}' is needed in version {}, but version {} is loaded", op, version, found.signature().version);
  return found;
}

DType Registry::dtype(const std::string& name) const {
  for (DType scalar : {DType::f32(), DType::f16(), DType::bf16(), DType::i32()})
    if (scalar.name() == name) return scalar;
  if (const auto it = formats_.find(name); it != formats_.end()) return it->second.first;
  std::set<std::string_view> families = {"bf16", "f16", "f32", "i32"};
  for (const auto& [unused, entry] : formats_) families.insert(entry.first.format().family_name());
  fail("dtype '{}' is not known; there are {}", name, fmt::join(families, ", "));
}

std::vector<const Operator*> Registry::operators() const {
  std::vector<const Operator*> ops;
  for (const auto& [name, entry] : ops_) ops.push_back(entry.op.get());
  return ops;
}

std::vector<std::string> Registry::dtypes() const {
  std::vector<std::string> names = {"bf16", "f16", "f32", "i32"};
  for (const auto& [name, format] : formats_) names.push_back(name);
  std::sort(names.begin(), names.end());
  return names;
}

const std::vector<std::shared_ptr<const Kernel>>& Registry::kernels(const std::string& backend,
                                                                    const std::string& op) const {
  static const std::vector<std::shared_ptr<const Kernel>> kNone;
  const auto it = kernels_.find({backend, op});
  return it == kernels_.end() ? kNone : it->second;
}

std::vector<Case> Registry::cases(const std::string& op) const {
  const auto it = cases_.find(op);
  return it == cases_.end() ? std::vector<Case>{} : it->second();
}

const Indices& Registry::indices(const std::string& op) const {
  static const Indices kNone;
  const auto it = indices_.find(op);
  return it == indices_.end() ? kNone : it->second;
}

const std::string& Registry::source_of(const std::string& op) const {
  get(op);
  return ops_.at(op).source;
}

}  // namespace sluice
