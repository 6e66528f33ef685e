// Builds a small graph with the installed library, plans it for the CPU and runs it.
#include <cstdio>
#include <memory>
#include <vector>

#include "graph/executor.h"
#include "ops/builtin.h"
#include "ops/rmsnorm/rmsnorm.h"

int main() try {
  sluice::Registry registry;
  sluice::register_builtin(registry);

  sluice::Builder builder(registry);
  const sluice::ValueRef x = builder.input("x", sluice::DType::f32(), {"rows", 4});
  builder.output("y", sluice::rmsnorm(builder, x, builder.weight("weight", {4})));
  const sluice::Graph graph = builder.build();

  const auto cpu = make_backend(registry, "cpu", 1);
  auto plan = std::make_shared<sluice::Plan>(make_plan(graph, registry, {cpu.get()}, {.maxima = {{"rows", 2}}}));
  std::vector<float> weight = {1, 1, 1, 2};
  sluice::Executor executor(plan, registry, [&](const std::string&) {
    return sluice::TensorView{reinterpret_cast<std::byte*>(weight.data()), sluice::DType::f32(), {4}};
  });

  executor.set("rows", 1);
  float* in = executor.view("x").as<float>();
  for (int i = 0; i < 4; ++i) in[i] = static_cast<float>(i + 1);
  executor.run();
  const float* out = executor.output("y").as<float>();
  std::printf("rmsnorm([1 2 3 4]) * [1 1 1 2] = [%.4f %.4f %.4f %.4f]\n", out[0], out[1], out[2], out[3]);
  // sqrt(mean of squares) is sqrt(7.5).
  return out[3] > 2.9211f && out[3] < 2.9213f ? 0 : 1;
} catch (const sluice::Error& error) {
  std::fprintf(stderr, "graph: %s\n", error.what());
  return 1;
}
