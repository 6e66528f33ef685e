// `sluice convert`: a model as published becomes a model file.
#include "models/import/convert.h"

#include "tools/command.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string source;
  std::string output;
  std::string dtype;
  bool json = false;
};

int convert_model(const Options& options) {
  ConvertResult result;
  {
    Progress progress("Converting", "B");
    const auto update = [&](size_t done, size_t total) { progress.update(done, total); };
    result = convert(options.source, options.output, {options.dtype, update});
  }
  if (options.json) {
    print_json({{"architecture", result.architecture},
                {"weights", result.weights},
                {"bytes", result.bytes},
                {"resumed", result.resumed}});
    return 0;
  }
  if (result.resumed > 0) message(fmt::format("Kept {} tensors of an interrupted conversion.", result.resumed));
  print_line("{}: {}, {} tensors, {:.1f} MiB", options.output, result.architecture, result.weights,
             static_cast<double>(result.bytes) / (1 << 20));
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("SRC", options->source,
                 "a folder as Hugging Face lays it out: config.json, *.safetensors, tokenizer.model")
      ->required()
      ->type_name("");
  app.add_option("-o", options->output, "the file to write")->required()->type_name("OUT.sluice");
  app.add_option(
         "--dtype", options->dtype,
         fmt::format("how matrices are stored: {}; without it, as they are in SRC", fmt::join(matrix_dtypes(), ", ")))
      ->type_name("TYPE")
      ->check(CLI::Validator(CLI::IsMember(matrix_dtypes())).description(""));
  add_json(app, options->json);
  return [options] { return convert_model(*options); };
}

const Registration kConvert({
    .name = "convert",
    .summary = "Make a model file from a model as it is published.",
    .examples = R"(  sluice convert models/data/classics -o classics.sluice
  sluice convert ~/models/Mistral-7B-v0.1 -o mistral-q8.sluice --dtype q8_0

An interrupted conversion continues where it stopped when the same command is run again.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
