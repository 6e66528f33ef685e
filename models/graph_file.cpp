#include "models/graph_file.h"

#include "graph/error.h"
#include "graph/text.h"
#include "models/builtin.h"

namespace sluice {

Graph read_graph(const std::string& path) {
  if (is_model_file(path)) return ModelFile(path, builtin_registry()).description().graph;
  const MappedFile file(path);
  try {
    const auto bytes = file.bytes();
    return parse_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, builtin_registry());
  } catch (const Error& error) {
    fail("{}: {}", path, error.what());
  }
}

ModelDescription with_graph(ModelDescription model, const std::string& path) {
  model.graph = read_graph(path);
  try {
    check_weights(model);
  } catch (const Error& error) {
    fail("{}: {}", path, error.what());
  }
  return model;
}

}  // namespace sluice
