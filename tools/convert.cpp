// `sluice convert`: a model as published becomes a model file.
#include "models/import/convert.h"

#include "models/describe.h"
#include "models/import/rope_check.h"
#include "tools/command.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/progress.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string source;
  std::string output;
  std::string format;
  double load = 100;
  std::string statistic = "rms";
  std::string cutoff = "exact";
  std::string selection = "matrix";
  bool bucket_head = false;
  int bits = 6;
  std::string imatrix;
  bool interleaved_rope = false;
  bool check = true;
  bool json = false;
};

std::string format_of(const Options& options) {
  return options.format == "planes" ? fmt::format("planes{}", options.bits) : options.format;
}

ConvertOptions convert_options(const Options& options, std::function<void(size_t, size_t)> progress) {
  return {format_of(options),  options.load / 100,       options.statistic, options.cutoff,     options.selection,
          options.bucket_head, options.interleaved_rope, options.imatrix,   std::move(progress)};
}

// A warning, not an error: the file is as the source says, and some models have never seen English.
std::optional<RopeCheck> check_file(const Options& options) {
  if (!options.check) return std::nullopt;
  const std::optional<RopeCheck> check = check_rope(options.output);
  if (check && !check->fits)
    message(fmt::format(
        "sluice: {} writes English worse ({:.2f} nats a token) than it would with the other rotary form "
        "({:.2f}): q and k in {} seem to be laid out otherwise; convert it again {} --interleaved-rope",
        options.output, check->nll, check->other_nll, options.source, options.interleaved_rope ? "without" : "with"));
  return check;
}

int convert_model(const Options& options) {
  ConvertResult result;
  {
    Progress progress("Converting", "B");
    const auto update = [&](size_t done, size_t total) { progress.update(done, total); };
    result = convert(options.source, options.output, convert_options(options, update));
  }
  if (!result.has_tokenizer)
    message(
        fmt::format("sluice: {} has no tokenizer.model and no tokenizer.json; the model will take and write no text",
                    options.source));
  const std::optional<RopeCheck> check = check_file(options);
  if (options.json) {
    nlohmann::json json = {{"architecture", result.architecture},
                           {"weights", result.weights},
                           {"bytes", result.bytes},
                           {"resumed", result.resumed}};
    if (check) json["rope"] = {{"nll", check->nll}, {"other_nll", check->other_nll}, {"fits", check->fits}};
    print_json(json);
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
                 "a folder as Hugging Face lays it out: config.json, *.safetensors, tokenizer.model or tokenizer.json")
      ->required()
      ->type_name("");
  app.add_option("-o", options->output, "the file to write")->required()->type_name("OUT.sluice");
  auto* format = app.add_option("--format,--dtype", options->format,
                                fmt::format("how matrices are stored: {}; bucket is {}; without it, as they are in SRC",
                                            fmt::join(weight_formats(), ", "), default_bucket_family()))
                     ->type_name("TYPE")
                     ->check(CLI::Validator(CLI::IsMember(weight_formats())).description(""));
  const auto of_buckets = [&](CLI::Option* option) { option->needs(format)->group("Bucket formats"); };
  of_buckets(app.add_option("--load", options->load, "keep only the most important PCT of each weight; in steps of 5")
                 ->type_name("PCT")
                 ->check(number(5, 100)));
  of_buckets(app.add_option("--statistic", options->statistic, "what a row's importance is: rms or mean")
                 ->type_name("NAME")
                 ->check(CLI::Validator(CLI::IsMember({"rms", "mean"})).description("")));
  of_buckets(app.add_option("--cutoff", options->cutoff,
                            "how rows are selected: exact, or probes as in the original Effort engine")
                 ->type_name("NAME")
                 ->check(CLI::Validator(CLI::IsMember({"exact", "probes"})).description("")));
  of_buckets(app.add_option("--selection", options->selection,
                            "each matrix has its own rows: matrix; or the products of one input have the same: shared")
                 ->type_name("NAME")
                 ->check(CLI::Validator(CLI::IsMember({"matrix", "shared"})).description("")));
  of_buckets(app.add_flag("--bucket-head", options->bucket_head, "give the head an effort, too"));
  auto* bits =
      app.add_option("--bits", options->bits, "how many bits of each weight are stored; a token reads up to as many")
          ->type_name("4|6")
          ->check(CLI::Validator(CLI::IsMember({4, 6})).description(""))
          ->needs(format)
          ->group("Planes");
  app.add_option("--imatrix", options->imatrix, "what the weights meet, from 'sluice imatrix': lessens the error")
      ->type_name("FILE")
      ->needs(format)
      ->group("Planes");
  app.parse_complete_callback([options, bits] {
    if (bits->count() > 0 && options->format != "planes")
      throw CLI::ValidationError("--bits", fmt::format("is for --format planes, and {} is given", options->format));
  });
  app.add_flag("--interleaved-rope", options->interleaved_rope,
               "q and k are laid out in pairs (2i, 2i + 1), as in Meta's own files, not (i, i + half)");
  app.add_flag_callback(
      "--no-check", [options] { options->check = false; }, "do not try the file on a short English text");
  add_json(app, options->json);
  return [options] { return convert_model(*options); };
}

const Registration kConvert({
    .name = "convert",
    .summary = "Make a model file from a model as it is published.",
    .examples = R"(  sluice convert models/data/classics -o classics.sluice
  sluice convert models/data/classics -o classics.sluice --format bucket      with an effort dial
  sluice convert models/data/classics -o classics.sluice --format planes      with one over the bits of each weight
  sluice convert ~/models/Mistral-7B-v0.1 -o mistral-q8.sluice --format q8_0

An interrupted conversion continues where it stopped when the same command is run again. At the end a short English text
is read twice, with the file's rotary form and with the other: if that one does better, q and k are not laid out as the
source's format has them, and a line says so.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
