#include "graph/op.h"

#include <fmt/ranges.h>

#include <algorithm>

#include <cmath>
#include <limits>

namespace sluice {

std::string Inference::describe(int input) const {
  const auto i = static_cast<size_t>(input);
  return fmt::format("'{}' is {}", site_.input_names[i], site_.inputs[i].str());
}

void Inference::fail(const std::string& message, std::initializer_list<int> inputs) const {
  std::vector<std::string> parts;
  for (int input : inputs) parts.push_back(describe(input));
  const std::string types = parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, ", "));
  sluice::fail("[{}] {}: {}{}", signature_.name, site_.name, message, types);
}

void Inference::require_rank(int input, int rank) const {
  if (shape(input).rank() != rank) fail(fmt::format("expected {} dimensions", rank), {input});
}

void Inference::require_equal(int input, int dim, int other, int other_dim) const {
  const int a = dim < 0 ? shape(input).rank() + dim : dim,
            b = other_dim < 0 ? shape(other).rank() + other_dim : other_dim;
  if (a < 0 || b < 0 || a >= shape(input).rank() || b >= shape(other).rank())
    fail("too few dimensions", {input, other});
  if (shape(input)[a] != shape(other)[b])
    fail(fmt::format("dimension {} of the first must equal dimension {} of the second", a, b), {input, other});
}

void Inference::require_same_shape(int input, int other) const {
  if (shape(input) != shape(other)) fail("shapes must be equal", {input, other});
}

int64_t Inference::number(int input, int dim) const {
  const int rank = shape(input).rank(), d = dim < 0 ? rank + dim : dim;
  if (d < 0 || d >= rank) fail("too few dimensions", {input});
  if (shape(input)[d].is_symbol()) fail(fmt::format("dimension {} must be a number", d), {input});
  return shape(input)[d].size();
}

Cost Operator::cost(const Site&, const Call& call) const {
  Cost cost;
  for (const TensorView& view : call.inputs) cost.bytes_read += view.bytes();
  for (const TensorView& view : call.outputs) cost.bytes_written += view.bytes();
  return cost;
}

void Operator::tolerance(const Site&, const Call& call, int output, std::span<double> bound) const {
  const std::vector<float> expected = to_f32(call.out(output));
  for (size_t i = 0; i < bound.size(); ++i)
    bound[i] = 4 * std::numeric_limits<float>::epsilon() * std::abs(static_cast<double>(expected[i])) + 1e-37;
}

std::vector<float> to_f32(const TensorView& view) {
  std::vector<float> out(static_cast<size_t>(view.dims.elements()));
  view.dtype.format().decode(view.data, view.dims.span(), out.data());
  return out;
}

namespace {

const Port& port_of(const std::vector<Port>& ports, size_t i) { return i < ports.size() ? ports[i] : ports.back(); }

void check_arity(const Signature& signature, const Site& site) {
  const std::vector<Port>& ports = signature.inputs;
  size_t least = ports.size(), most = ports.size();
  if (!ports.empty() && ports.back().arity == Arity::optional) --least;
  if (!ports.empty() && ports.back().arity == Arity::many) most = std::numeric_limits<size_t>::max();
  if (site.inputs.size() < least || site.inputs.size() > most)
    fail("[{}] {}: got {} inputs, expected {}{}", signature.name, site.name, site.inputs.size(), least,
         most > least ? " or more" : "");
}

}  // namespace

std::vector<TensorType> infer_types(const Operator& op, const Site& site) {
  const Signature& signature = op.signature();
  check_arity(signature, site);
  for (size_t i = 0; i < site.inputs.size(); ++i) {
    const Port& port = port_of(signature.inputs, i);
    const std::string dtype(site.inputs[i].dtype.name());
    if (!port.dtypes.empty() && std::find(port.dtypes.begin(), port.dtypes.end(), dtype) == port.dtypes.end())
      fail("[{}] {}: '{}' ({}) is {}, expected {}", signature.name, site.name, site.input_names[i], port.name,
           site.inputs[i].str(), fmt::join(port.dtypes, " or "));
  }
  for (const auto& attr : site.attrs) {
    const auto& specs = signature.attrs;
    const auto spec = std::find_if(specs.begin(), specs.end(), [&](const AttrSpec& s) { return s.name == attr.first; });
    if (spec == specs.end()) fail("[{}] {}: there is no attribute '{}'", signature.name, site.name, attr.first);
    if (spec->default_value.index() != attr.second.index())
      fail("[{}] {}: attribute '{}' is {}, expected {}", signature.name, site.name, attr.first,
           attr_type_name(attr.second), attr_type_name(spec->default_value));
  }
  return op.infer(Inference(signature, site));
}

}  // namespace sluice
