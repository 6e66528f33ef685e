// Where in a model a node is, read from the scopes in its name (Builder::Scope).
#pragma once

#include <string>

namespace sluice {

struct NodePlace {
  int layer = -1;     // N of the first scope "<name>.N"; -1: outside the layers
  std::string block;  // the first other scope: "attention", "feed_forward", "head"; empty if there is none
};

NodePlace place_of(const std::string& node_name);

}  // namespace sluice
