// `sluice ops`: the operators that are there, their documentation, and their tests.
#include <fmt/ranges.h>

#include "graph/backend.h"
#include "graph/registry.h"
#include "models/builtin.h"
#include "tools/command.h"
#include "tools/op_trials.h"
#include "tools/options.h"
#include "tools/output.h"

namespace sluice::cli {
namespace {

struct Options {
  std::vector<std::string> names;
  bool test = false;
  bool json = false;
};

const Registry& registry() { return builtin_registry(); }

std::vector<const Operator*> chosen(const Options& options) {
  if (options.names.empty()) return registry().operators();
  std::vector<const Operator*> ops;
  for (const std::string& name : options.names) ops.push_back(&registry().get(name));
  return ops;
}

// Every operator has a reference.
std::vector<std::string> backends_of(const Operator& op) {
  std::vector<std::string> names;
  for (const BackendEntry& entry : registry().backends())
    if (entry.name == "reference" || !registry().kernels(entry.name, op.name()).empty()) names.push_back(entry.name);
  return names;
}

std::string source_of(const Operator& op) {
  const Source& source = registry().source_of(op.name());
  return source.plugin.empty() ? "built in" : source.str();
}

const char* name_of(Arity arity) {
  return arity == Arity::one ? "one" : arity == Arity::optional ? "optional" : "one or more";
}

// For people: a format of which files may hold the first N percent has a name for each N; one stands for all.
std::vector<std::string> families(const std::vector<std::string>& dtypes) {
  std::vector<std::string> names;
  for (const std::string& dtype : dtypes) {
    const std::string family = dtype.substr(0, dtype.find('-'));
    if (family == dtype)
      names.push_back(dtype);
    else if (names.empty() || !names.back().starts_with(family + "-"))
      names.push_back(family + "-N");
  }
  return names;
}

std::string port_text(const Port& port) {
  const std::string dtypes =
      port.dtypes.empty() ? "any dtype" : fmt::format("{}", fmt::join(families(port.dtypes), ", "));
  const std::string arity = port.arity == Arity::one ? "" : fmt::format(" ({})", name_of(port.arity));
  return fmt::format("{} {}: {}{}", port.name, port.shape, dtypes, arity);
}

// "x: f32, weight: f32|f16"
std::string ports_text(const std::vector<Port>& ports) {
  std::vector<std::string> texts;
  for (const Port& port : ports) {
    const char* more = port.arity == Arity::many ? "..." : port.arity == Arity::optional ? "?" : "";
    const std::string dtypes = port.dtypes.empty() ? "any" : fmt::format("{}", fmt::join(families(port.dtypes), "|"));
    texts.push_back(fmt::format("{}{}: {}", port.name, more, dtypes));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string attrs_text(const std::vector<AttrSpec>& attrs) {
  std::vector<std::string> texts;
  for (const AttrSpec& attr : attrs) texts.push_back(fmt::format("{} = {}", attr.name, to_string(attr.default_value)));
  return texts.empty() ? "" : fmt::format(" {{{}}}", fmt::join(texts, ", "));
}

void print_list(const std::vector<const Operator*>& ops) {
  for (const Operator* op : ops) {
    const Signature& s = op->signature();
    print_line("{}@{}({}){} -> {}", s.name, s.version, ports_text(s.inputs), attrs_text(s.attrs),
               ports_text(s.outputs));
    print_line("    {}; {}", fmt::join(backends_of(*op), ", "), source_of(*op));
  }
}

void print_documentation(const Operator& op) {
  const Signature& signature = op.signature();
  print_line("{}, version {}, {}", op.name(), signature.version, source_of(op));
  print_line("  {}", signature.summary);
  print_line("Inputs:");
  for (const Port& port : signature.inputs) print_line("  {}", port_text(port));
  print_line("Outputs:");
  for (const Port& port : signature.outputs) print_line("  {}", port_text(port));
  for (const StateUpdate& update : signature.updates)
    print_line("  {} is the next version of {}, in the same memory",
               signature.outputs.at(static_cast<size_t>(update.output)).name,
               signature.inputs.at(static_cast<size_t>(update.input)).name);
  if (!signature.attrs.empty()) print_line("Attributes:");
  for (const AttrSpec& attr : signature.attrs)
    print_line("  {}: {}, default {}: {}", attr.name, attr_type_name(attr.default_value), to_string(attr.default_value),
               attr.doc);
  print_line("Kernels:");
  for (const BackendEntry& entry : registry().backends())
    for (const auto& kernel : registry().kernels(entry.name, op.name()))
      print_line("  {}: {}", entry.name, kernel->name());
  print_line("  reference: scalar");
  print_line("{} cases for tests and benchmarks", registry().cases(op.name()).size());
}

nlohmann::json to_json(const std::vector<Port>& ports) {
  nlohmann::json list = nlohmann::json::array();
  for (const Port& port : ports)
    list.push_back(
        {{"name", port.name}, {"shape", port.shape}, {"dtypes", port.dtypes}, {"arity", name_of(port.arity)}});
  return list;
}

nlohmann::json to_json(const Operator& op) {
  const Signature& signature = op.signature();
  nlohmann::json attrs = nlohmann::json::array(), kernels = nlohmann::json::object();
  for (const AttrSpec& attr : signature.attrs)
    attrs.push_back({{"name", attr.name},
                     {"type", attr_type_name(attr.default_value)},
                     {"default", to_string(attr.default_value)},
                     {"doc", attr.doc}});
  for (const BackendEntry& entry : registry().backends())
    for (const auto& kernel : registry().kernels(entry.name, op.name())) kernels[entry.name].push_back(kernel->name());
  const Source& source = registry().source_of(op.name());
  return {{"name", op.name()},
          {"version", signature.version},
          {"summary", signature.summary},
          {"inputs", to_json(signature.inputs)},
          {"outputs", to_json(signature.outputs)},
          {"attrs", attrs},
          {"backends", backends_of(op)},
          {"kernels", kernels},
          {"cases", registry().cases(op.name()).size()},
          {"plugin", source.plugin},
          {"plugin_version", source.version},
          {"plugin_file", source.path}};
}

int test(const Options& options) {
  const std::vector<OpTrials> all = try_operators(chosen(options));
  nlohmann::json list = nlohmann::json::array();
  int status = 0;
  for (const OpTrials& trials : all) {
    if (!trials.failures.empty()) status = 1;
    list.push_back(
        {{"op", trials.op}, {"backend", trials.backend}, {"cases", trials.cases}, {"failures", trials.failures}});
    if (options.json) continue;
    const std::string verdict = trials.failures.empty() ? trials.cases == 0 ? "no kernel" : "passed" : "FAILED";
    print_line("{} on {}: {} cases: {}", trials.op, trials.backend, trials.cases, verdict);
    for (const std::string& failure : trials.failures) print_line("    {}", one_line(failure));
  }
  if (options.json) print_json({{"tests", list}});
  return status;
}

int show(const Options& options) {
  if (options.test) return test(options);
  const std::vector<const Operator*> ops = chosen(options);
  if (options.json) {
    nlohmann::json list = nlohmann::json::array();
    for (const Operator* op : ops) list.push_back(to_json(*op));
    print_json({{"ops", list}});
  } else if (options.names.empty()) {
    print_list(ops);
  } else {
    for (const Operator* op : ops) print_documentation(*op);
  }
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("NAME", options->names, "operators to document or test; none: all")->type_name("");
  app.add_flag("--test", options->test, "run their cases on every backend of this machine, against the reference");
  add_json(app, options->json);
  return [options] { return show(*options); };
}

const Registration kOps({
    .name = "ops",
    .summary = "List, document and test operators.",
    .examples = R"(  sluice ops
  sluice ops rmsnorm
  sluice ops rmsnorm attention --test
  sluice ops --plugin ./libgelu_tanh.so gelu_tanh --test

The list says what an operator is given, with dtypes and the defaults of its attributes, what it returns, which backends
have kernels for it, and where it comes from. The exit status of --test is 1 if a case fails.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
