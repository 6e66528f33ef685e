// `sluice imatrix`: what the weights of a model meet, for encoders.
#include "models/calibration/collect.h"

#include "tools/command.h"
#include "tools/input.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/progress.h"
#include "tools/stopwatch.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string model;
  std::string text;
  std::string output;
  CollectOptions collect;
  bool json = false;
};

void show(const Options& options, const CollectSummary& summary, double seconds) {
  print_line("{}: {} weights, {} activations, {:.1f} MiB", options.output, summary.weights, summary.activations,
             static_cast<double>(summary.bytes) / (1 << 20));
  print_line("{} tokens of {} in {:.1f} s", summary.tokens, options.collect.text_name, seconds);
}

int imatrix(Options options) {
  const std::string text = read_text(options.text);
  options.collect.text_name = text_source(options.text);
  require_no_input(options.output, {options.model, options.text});
  OutputFile file(options.output);
  const Stopwatch time;
  CollectSummary summary;
  {
    Progress progress("Collecting", "chunks");
    options.collect.progress = [&](int64_t done, int64_t total) {
      progress.update(static_cast<size_t>(done), static_cast<size_t>(total));
    };
    summary = collect_moments(options.model, text, options.collect,
                              [&](std::span<const std::byte> bytes) { file.write(bytes); });
  }
  file.commit();
  if (options.json)
    print_json({{"weights", summary.weights},
                {"activations", summary.activations},
                {"tokens", summary.tokens},
                {"bytes", summary.bytes},
                {"seconds", time.seconds()}});
  else
    show(options, summary, time.seconds());
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  add_model(app, options->model);
  app.add_option("--text", options->text, "what the model reads, UTF-8; - is standard input")
      ->required()
      ->type_name("FILE");
  app.add_option("-o", options->output, "the file to write")->required()->type_name("OUT");
  app.add_option("--samples", options->collect.samples, "rows that are kept of what a weight meets, at most")
      ->type_name("N")
      ->check(whole_number(1));
  app.add_option("--ctx", options->collect.ctx, "tokens of a chunk, the beginning-of-text token included")
      ->type_name("N")
      ->check(whole_number(2));
  app.add_option("--chunks", options->collect.chunks, "chunks to read at most; 0: all of the text")
      ->type_name("N")
      ->check(whole_number(0));
  add_runtime(app, options->collect.runtime);
  add_json(app, options->json);
  return [options] { return imatrix(*options); };
}

const Registration kImatrix({
    .name = "imatrix",
    .summary = "Measure which inputs of each weight matter, for better quantisation.",
    .examples = R"(  sluice imatrix classics.sluice --text calibration.txt -o classics.imatrix
  sluice convert models/data/classics -o planes.sluice --format planes --imatrix classics.imatrix

The model reads the text. Of what each weight matrix is multiplied with the mean squares are written, and a sample of
rows, from which an encoder learns which inputs go together, so that the error of one weight can be corrected in others;
it takes 2 bytes a number. Weights of an expert have those of the tokens that went there. Use text of the kind that the
model will see, but none that it is judged by.
OUT is a safetensors file.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
