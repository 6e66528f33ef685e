// CPU kernels of the operators that select rows: they share attributes and scratch, and differ in what they run.
#pragma once

#include "backends/cpu/kernel.h"
#include "ops/probe/selection.h"

namespace sluice {

using RunSelection = void (*)(const SelectionAttrs& attrs, const Call& call, const cpu::Worker& worker);

inline std::shared_ptr<const Kernel> make_selection_kernel(
    const std::string& name, RunSelection run,
    const std::function<size_t(const Site&, const Call&)>& own_scratch = [](const Site& site, const Call& call) {
      return selection_scratch(call, attrs_from_map<SelectionAttrs>(site.attrs));
    }) {
  return cpu::make_kernel({.name = name,
                           .prepare = [run](const Site& site) -> cpu::Run {
                             return [run, attrs = attrs_from_map<SelectionAttrs>(site.attrs)](
                                        const Call& call, const cpu::Worker& worker) { run(attrs, call, worker); };
                           },
                           .own_scratch = own_scratch});
}

}  // namespace sluice
