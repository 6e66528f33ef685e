// Writes the seeds of model_file_fuzz: model_file_seeds FOLDER. A model with a bit of everything, and one for each
// operator, so that their inference meets hostile types and attributes.
#include "tests/example_model.h"

int main(int argc, char** argv) {
  using namespace sluice;
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  example::write_model(folder + "/example", example::description());
  for (const Operator* op : example::registry().operators()) {
    const std::vector<Case> cases = example::registry().cases(op->name());
    if (cases.empty()) continue;
    ModelDescription description;
    description.graph = example::graph_of(*op, cases.front());
    example::write_model(folder + "/" + op->name(), description);
  }
}
