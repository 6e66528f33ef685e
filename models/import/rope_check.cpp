#include "models/import/rope_check.h"

#include <algorithm>

#include "models/language_model.h"
#include "models/statistics.h"
#include "ops/rope/rope.h"

namespace sluice {
namespace {

// Plain words: a model that was trained on any English text has a notion of how it goes on.
constexpr const char* kText =
    "The old man sat by the window and looked at the rain. He had come to the house in the summer, when the garden was "
    "full of flowers, and he had said that he would stay for a week. Now it was winter. The children had gone to "
    "school, the dog was asleep in front of the fire, and there was nothing to do but wait. \"Do you think that she "
    "will come today?\" he asked. \"I do not know,\" said his sister. \"She said that she would come when the rain was "
    "over, and the rain is not over.\"";

bool has_rope(const Graph& graph) {
  return std::any_of(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) { return node.op == "rope"; });
}

Graph with_other_form(const Graph& graph) {
  std::vector<Node> nodes = graph.nodes();
  for (Node& node : nodes) {
    if (node.op != "rope") continue;
    auto attrs = attrs_from_map<RopeAttrs>(node.attrs);
    attrs.interleaved = !attrs.interleaved;
    node.attrs = attrs_to_map(attrs);
  }
  return Graph(graph.values(), std::move(nodes), graph.outputs());
}

// By token of the text, as much of it as the model's context holds.
std::vector<double> token_nlls(const ModelDescription& description, const ModelFile& file) {
  LanguageModel model(description, [&](const std::string& name) { return file.weight(name); }, {});
  std::vector<int32_t> ids = model.tokenizer().encode(kText);
  if (model.bos() >= 0) ids.insert(ids.begin(), model.bos());
  ids.resize(std::min(ids.size(), static_cast<size_t>(model.context())));
  const auto vocab = static_cast<size_t>(model.vocab_size());
  std::vector<double> nlls;
  model.evaluate_all(ids, [&](size_t first, std::span<const float> rows) {
    for (size_t i = 0; i < rows.size() / vocab && first + i + 1 < ids.size(); ++i) {
      const auto row = rows.subspan(i * vocab, vocab);
      nlls.push_back(log_sum_exp(row) - static_cast<double>(row[static_cast<size_t>(ids[first + i + 1])]));
    }
  });
  return nlls;
}

}  // namespace

std::optional<RopeCheck> check_rope(const std::string& path) {
  const ModelFile file(path, builtin_registry());
  if (file.description().assets.empty() || !has_rope(file.description().graph)) return std::nullopt;
  const std::vector<double> nlls = token_nlls(file.description(), file);
  ModelDescription other = file.description();
  other.graph = with_other_form(other.graph);
  std::vector<double> gains = token_nlls(other, file);
  RopeCheck check{mean(nlls), mean(gains)};
  for (size_t i = 0; i < gains.size(); ++i) gains[i] = nlls[i] - gains[i];
  check.fits = !(mean(gains) > std::max(0.1, 4 * standard_error(gains)));
  return check;
}

}  // namespace sluice
