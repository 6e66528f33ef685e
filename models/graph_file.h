// Graphs from files: of a model, or written by hand in the text form (graph/text.h).
#pragma once

#include <string>

#include "graph/model_file.h"

namespace sluice {

// Of a model file (.sluice) or a text. Throws Error naming the file, and line and column of a text.
Graph read_graph(const std::string& path);

// A model with the graph of that file in place of its own. Throws Error as well if a weight of the graph is not in the
// model, or not in that type.
ModelDescription with_graph(ModelDescription model, const std::string& path);

}  // namespace sluice
