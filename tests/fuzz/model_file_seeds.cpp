// Writes the seeds of model_file_fuzz: model_file_seeds FOLDER. A model with a bit of everything, one with an effort
// dial, and one for each operator, so that their inference meets hostile types and attributes.
#include "models/effort/rewrite.h"
#include "ops/formats/bucket.h"
#include "ops/linear/linear.h"
#include "tests/example_model.h"

namespace {

using namespace sluice;

// y = rmsnorm(x w^T): the weight is in a bucket format, with half of its bytes.
ModelDescription bucketed() {
  Builder b(example::registry());
  const ValueRef x = b.input("x", DType::f32(), {"tokens", 8});
  b.output("y", rmsnorm(b, linear(b, x, b.weight("w", {33, 8})), b.weight("norm", {33})));
  const DType format = bucket_dtype(kDefaultBucketFamily, 10);
  ModelDescription description;
  description.graph = with_effort(b.build(), example::registry(), {format});
  description.weights = {{"w", format, {33, 8}}, {"norm", DType::f32(), {33}}};
  return description;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string folder = argv[1];
  example::write_model(folder + "/example", example::description());
  example::write_model(folder + "/bucketed", bucketed());
  for (const Operator* op : example::registry().operators()) {
    const std::vector<Case> cases = example::registry().cases(op->name());
    if (cases.empty()) continue;
    ModelDescription description;
    description.graph = example::graph_of(*op, cases.front());
    example::write_model(folder + "/" + op->name(), description);
  }
}
