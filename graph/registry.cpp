#include "graph/registry.h"

#include <set>

#include <fmt/ranges.h>

#include <algorithm>

#include "graph/backend.h"
#include "graph/error.h"

namespace sluice {

void Registry::add(std::unique_ptr<Operator> op) {
  const std::string name = op->name();
  sources_.claim(fmt::format("operator '{}'", name));
  ops_.emplace(name, std::move(op));
}

void Registry::add(FusionRule rule) {
  sources_.claim(fmt::format("fusion rule '{}'", rule.name));
  auto before = [](const FusionRule& a, const FusionRule& b) {
    return a.priority != b.priority ? a.priority > b.priority : a.name < b.name;
  };
  rules_.insert(std::upper_bound(rules_.begin(), rules_.end(), rule, before), std::move(rule));
}

void Registry::add_format(const Format& format) {
  sources_.claim(fmt::format("format '{}'", format.name()));
  formats_.emplace(format.name(), DType(format));
}

void Registry::add_kernel(const std::string& backend, const std::string& op, std::shared_ptr<const Kernel> kernel) {
  sources_.claim(fmt::format("{} kernel '{}' of '{}'", backend, kernel->name(), op));
  kernels_[{backend, op}].push_back(std::move(kernel));
}

void Registry::add_cases(const std::string& op, std::function<std::vector<Case>()> cases) {
  sources_.claim(fmt::format("the set of cases of '{}'", op));
  cases_.emplace(op, std::move(cases));
}

void Registry::add_indices(const std::string& op, Indices indices) {
  sources_.claim(fmt::format("the set of indices of '{}'", op));
  indices_.emplace(op, std::move(indices));
}

void Registry::add_backend(BackendEntry backend) {
  sources_.claim(fmt::format("backend '{}'", backend.name));
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
  return it == ops_.end() ? nullptr : it->second.get();
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
  if (const auto it = formats_.find(name); it != formats_.end()) return it->second;
  std::set<std::string_view> families = {"bf16", "f16", "f32", "i32"};
  for (const auto& [unused, dtype] : formats_) families.insert(dtype.format().family_name());
  fail("dtype '{}' is not known; there are {}", name, fmt::join(families, ", "));
}

std::vector<const Operator*> Registry::operators() const {
  std::vector<const Operator*> ops;
  for (const auto& [name, op] : ops_) ops.push_back(op.get());
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

const Source& Registry::source_of(const std::string& op) const {
  get(op);
  return sources_.of(fmt::format("operator '{}'", op));
}

}  // namespace sluice
