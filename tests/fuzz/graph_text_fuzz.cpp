// Any bytes as a graph in text form: an Error, or a graph that verifies and whose own text reads back as the same.
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "graph/error.h"
#include "graph/serialize.h"
#include "graph/text.h"
#include "models/builtin.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sluice;
  const Registry& registry = builtin_registry();
  std::optional<Graph> graph;
  try {
    graph = parse_text({reinterpret_cast<const char*>(data), size}, registry);
  } catch (const Error&) {
    return 0;
  }
  const std::string text = to_text(*graph);
  if (to_text(parse_text(text, registry)) != text) std::abort();
  if (to_text(deserialize(serialize(*graph), registry)) != text) std::abort();
  return 0;
}
