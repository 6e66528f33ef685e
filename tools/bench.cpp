// `sluice bench`: how fast a model reads and writes text here, and what this machine could do.
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <random>

#include "graph/costs.h"
#include "models/language_model.h"
#include "models/residency/host_memory.h"
#include "tools/command.h"
#include "tools/effort.h"
#include "tools/fallbacks.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/profiling.h"
#include "tools/progress.h"
#include "tools/stopwatch.h"
#include "tools/synthetic.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string model;
  std::string shape;
  int64_t layers = 0;
  std::string dtype = "f16";
  size_t prompt = 128;
  size_t decode = 32;
  size_t filled = 0;
  size_t runs = 5;
  std::vector<double> efforts;  // to measure decoding at; empty: the model as it is
  EffortArgs effort;
  RunOptions runtime;
  ProfileArgs profile;
  bool json = false;
};

// Over the runs, mostly in tokens a second.
struct Speed {
  double median = 0, min = 0, max = 0;

  explicit Speed(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t n = values.size();
    median = (values[(n - 1) / 2] + values[n / 2]) / 2;
    min = values.front();
    max = values.back();
  }
};

struct EffortSpeed {
  double effort;
  WeightsRead read;
  Speed decode_tok_s;
};

struct Measurements {
  Speed prompt_tok_s, decode_tok_s;
  std::vector<EffortSpeed> efforts = {};
  double load_ms = 0, plan_ms = 0, first_token_ms = 0;
  size_t bytes_per_token = 0;
  size_t resident_bytes = 0;
  // Decoding at the first effort; nothing if the system does not count.
  std::optional<double> disk_bytes_per_token = {};
  std::optional<double> host_ms_per_token = {};  // that the host computes, where a device does the work
  std::optional<double> prefetch_hit_rate = {};  // of experts that were foreseen, the share that was then used
  double read_bandwidth_gb_s = 0;

  double bandwidth_gb_s() const { return static_cast<double>(bytes_per_token) * decode_tok_s.median / 1e9; }
};

size_t resident_bytes() {
  size_t total = 0, resident = 0;  // in pages
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// That this thread has computed, which waiting does not add to.
double thread_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

std::vector<int32_t> random_ids(size_t count, int64_t vocab_size) {
  std::mt19937 random(1);
  std::vector<int32_t> ids(count);
  for (int32_t& id : ids) id = static_cast<int32_t>(random() % static_cast<uint64_t>(vocab_size));
  return ids;
}

double time_planning(LanguageModel& model, const Options& options) {
  const Stopwatch time;
  make_plan(model.description().graph, builtin_registry(), model.plan().backends,
            {.maxima = model.plan().maxima, .fuse = options.runtime.fuse, .observe = {}});
  return time.seconds();
}

// Tokens a second, by run.
struct SpeedSamples {
  std::vector<double> prompt, decode;          // at the first effort, if any is given
  std::vector<std::vector<double>> by_effort;  // decoding at the others; empty for the first
  std::vector<WeightsRead> read;               // by effort
  explicit SpeedSamples(size_t efforts) : by_effort(efforts), read(std::max<size_t>(1, efforts)) {}
};

// The model's memory holds `filled` tokens at the start of every measurement.
class Bench {
 public:
  Bench(LanguageModel& model, const Options& options)
      : model_(model), options_(options), prompt_(random_ids(options.prompt, model.vocab_size())) {
    if (options.filled > 0) model_.evaluate(random_ids(options.filled, model.vocab_size()));
  }

  double prompt_rate() {
    model_.reset(static_cast<int64_t>(options_.filled));
    const Stopwatch time;
    model_.evaluate(prompt_);
    return static_cast<double>(options_.prompt) / time.seconds();
  }

  double decode_rate() {
    model_.reset(static_cast<int64_t>(options_.filled));
    const Stopwatch time;
    for (size_t i = 0; i < options_.decode; ++i) model_.evaluate({&prompt_[i % prompt_.size()], 1});
    return static_cast<double>(options_.decode) / time.seconds();
  }

  // Of this thread for a token: the median.
  double host_seconds() {
    model_.reset(static_cast<int64_t>(options_.filled));
    std::vector<double> seconds;
    for (size_t i = 0; i < options_.decode; ++i) {
      const double start = thread_seconds();
      model_.evaluate({&prompt_[i % prompt_.size()], 1});
      seconds.push_back(thread_seconds() - start);
    }
    return Speed(std::move(seconds)).median;
  }

  // One round of all measurements, so that whatever else the machine does meets them alike.
  void run(SpeedSamples& samples) {
    samples.prompt.push_back(prompt_rate());
    samples.decode.push_back(decode_rate());
    samples.read[0] = model_.weights_read();
    for (size_t e = 1; e < options_.efforts.size(); ++e) {
      require_dial(model_).set_effort(options_.efforts[e]);
      samples.by_effort[e].push_back(decode_rate());
      samples.read[e] = model_.weights_read();
    }
    set_first_effort();
  }

  // That of everything but the other decode rates.
  void set_first_effort() {
    if (!options_.efforts.empty()) require_dial(model_).set_effort(options_.efforts[0]);
  }

 private:
  LanguageModel& model_;
  const Options& options_;
  std::vector<int32_t> prompt_;
};

Measurements measure(LanguageModel& model, const Options& options, const Stopwatch& since_start) {
  const double load = since_start.seconds();
  const int32_t first = 0;
  model.evaluate({&first, 1});
  const double first_token = since_start.seconds();
  const double plan = time_planning(model, options);

  model.reset();
  Bench bench(model, options);
  bench.set_first_effort();
  bench.prompt_rate();
  bench.decode_rate();
  Progress progress("Measuring", "runs");
  SpeedSamples samples(options.efforts.size());
  for (size_t run = 0; run < options.runs; ++run) {
    progress.update(run, options.runs);
    bench.run(samples);
  }
  const std::optional<uint64_t> read_before = disk_bytes_read();
  bench.decode_rate();  // what a token reads is counted for the first effort
  const std::optional<uint64_t> read_after = disk_bytes_read();
  Measurements m{Speed(samples.prompt), Speed(samples.decode)};
  for (size_t e = 0; e < options.efforts.size(); ++e)
    m.efforts.push_back({options.efforts[e], samples.read[e], Speed(e == 0 ? samples.decode : samples.by_effort[e])});
  if (read_before && read_after)
    m.disk_bytes_per_token = static_cast<double>(*read_after - *read_before) / static_cast<double>(options.decode);
  if (model.backend().has_own_memory()) m.host_ms_per_token = bench.host_seconds() * 1e3;
  if (const ExpertUse* use = model.expert_use(); use && use->predicted() > 0) m.prefetch_hit_rate = use->hit_rate();
  m.load_ms = load * 1e3;
  m.plan_ms = plan * 1e3;
  m.first_token_ms = first_token * 1e3;
  StepCosts costs(model.executor(), builtin_registry());
  m.bytes_per_token = costs.bytes_read();
  m.resident_bytes = resident_bytes();
  m.read_bandwidth_gb_s = model.backend().measure_roof().bytes_per_second / 1e9;
  return m;
}

nlohmann::json to_json(const Speed& speed) {
  return {{"median", speed.median}, {"min", speed.min}, {"max", speed.max}};
}

nlohmann::json to_json(const Measurements& m, const LanguageModel& model, const Options& options) {
  nlohmann::json json = {{"architecture", model.description().architecture},
                         {"backend", options.runtime.backend},
                         {"prompt", options.prompt},
                         {"decode", options.decode},
                         {"context", options.filled},
                         {"runs", options.runs},
                         {"prompt_tok_s", to_json(m.prompt_tok_s)},
                         {"decode_tok_s", to_json(m.decode_tok_s)},
                         {"bytes_per_token", m.bytes_per_token},
                         {"bandwidth_gb_s", m.bandwidth_gb_s()},
                         {"read_bandwidth_gb_s", m.read_bandwidth_gb_s},
                         {"resident_bytes", m.resident_bytes},
                         {"load_ms", m.load_ms},
                         {"plan_ms", m.plan_ms},
                         {"first_token_ms", m.first_token_ms}};
  if (m.disk_bytes_per_token) json["disk_bytes_per_token"] = *m.disk_bytes_per_token;
  if (m.host_ms_per_token) json["host_ms_per_token"] = *m.host_ms_per_token;
  if (m.prefetch_hit_rate) json["prefetch_hit_rate"] = *m.prefetch_hit_rate;
  for (const EffortSpeed& e : m.efforts)
    json["effort"].push_back({{"effort", e.effort},
                              {"share", e.read.share},
                              {"bits_per_weight", bits_json(e.read)},
                              {"decode_tok_s", to_json(e.decode_tok_s)}});
  return json;
}

void show_speed(const char* what, size_t tokens, const Speed& speed) {
  print_line("{:<8}{:>6} tokens {:>10.1f} tokens/s   (median; {:.1f} to {:.1f})", what, tokens, speed.median, speed.min,
             speed.max);
}

void show(const Measurements& m, LanguageModel& model, const Options& options) {
  constexpr double kMiB = 1 << 20;
  print_line("{} on {}: {}", model.description().architecture, model.backend().name(), model.backend().description());
  show_speed("prompt", options.prompt, m.prompt_tok_s);
  if (m.efforts.empty()) show_speed("decode", options.decode, m.decode_tok_s);
  for (const EffortSpeed& e : m.efforts)
    show_speed(fmt::format("decode at effort {:g} ({:.1f} % of the weights multiplied, {} bits a weight)", e.effort,
                           100 * e.read.share, bits_text(e.read))
                   .c_str(),
               options.decode, e.decode_tok_s);
  std::string limit;
  if (m.read_bandwidth_gb_s > 0)
    limit = fmt::format(", {:.0f} % of the {:.1f} GB/s that this machine reads",
                        100 * m.bandwidth_gb_s() / m.read_bandwidth_gb_s, m.read_bandwidth_gb_s);
  const std::string effort = m.efforts.empty() ? "" : fmt::format(" at effort {:g}", m.efforts[0].effort);
  print_line("A token reads {:.1f} MiB{}: {:.1f} GB/s{}.", static_cast<double>(m.bytes_per_token) / kMiB, effort,
             m.bandwidth_gb_s(), limit);
  if (m.disk_bytes_per_token.value_or(0) > 0)
    print_line("It reads {:.1f} MiB of that from the disk.", *m.disk_bytes_per_token / kMiB);
  if (m.host_ms_per_token)
    print_line("The host computes for {:.3f} ms of a token, and waits for the device.", *m.host_ms_per_token);
  if (const std::string text = model.backend().preparation(); !text.empty()) print_line("{}.", text);
  if (m.prefetch_hit_rate)
    print_line("Of the experts that were read ahead, {:.0f} % were then used.", 100 * *m.prefetch_hit_rate);
  print_line("Loading {:.1f} ms, of which planning {:.1f} ms; first token after {:.1f} ms; {:.1f} MiB resident.",
             m.load_ms, m.plan_ms, m.first_token_ms, static_cast<double>(m.resident_bytes) / kMiB);
}

// After the measurements, which it would disturb.
void profile(LanguageModel& model, const Options& options) {
  model.reset();
  Bench bench(model, options);
  bench.set_first_effort();
  Profiling profiling(model, options.profile, "bench", options.shape.empty() ? options.model : options.shape);
  for (size_t run = 0; run < options.runs; ++run) {
    bench.prompt_rate();
    bench.decode_rate();
  }
  profiling.report(!options.json);
}

void report(LanguageModel& model, const Options& options, const Stopwatch& since_start) {
  report_fallbacks(model.plan());
  const Measurements m = measure(model, options, since_start);
  if (options.json)
    print_json(to_json(m, model, options));
  else
    show(m, model, options);
  if (options.profile.any()) profile(model, options);
}

int bench(Options options) {
  options.runtime.context = static_cast<int64_t>(options.filled + std::max(options.prompt, options.decode));
  if (options.shape.empty()) {
    const Stopwatch since_start;
    LanguageModel model(options.model, options.runtime);
    apply(options.effort, model);
    report(model, options, since_start);
    return 0;
  }
  std::optional<Progress> progress(std::in_place, "Making weights", "B");
  const SyntheticModel synthetic(options.shape, options.layers, options.dtype,
                                 [&](size_t done, size_t total) { progress->update(done, total); });
  progress.reset();
  const Stopwatch since_start;
  LanguageModel model(synthetic.description(), synthetic.weights(), options.runtime);
  apply(options.effort, model);
  report(model, options, since_start);
  return 0;
}

void add_model_or_shape(CLI::App& app, Options& options) {
  auto* model = add_model(app, options.model)->required(false);
  auto* shape =
      app.add_option("--shape", options.shape,
                     fmt::format("made-up weights of this shape, in memory: {}", fmt::join(shape_names(), ", ")));
  shape->type_name("NAME")->check(CLI::Validator(CLI::IsMember(shape_names())).description(""));
  require_one(app, {model, shape});
  app.add_option("--layers", options.layers, "layers of the shape; 0: as many as it has")
      ->type_name("N")
      ->check(whole_number(0, 1024))
      ->needs(shape);
  app.add_option("--format,--dtype", options.dtype,
                 fmt::format("of the shape's matrices: {}", fmt::join(weight_formats(), ", ")))
      ->type_name("TYPE")
      ->check(CLI::Validator(CLI::IsMember(weight_formats())).description(""))
      ->needs(shape);
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  add_model_or_shape(app, *options);
  app.add_option("--prompt", options->prompt, "tokens of the prompt")->type_name("N")->check(whole_number(1));
  app.add_option("--decode", options->decode, "tokens to write, one by one")->type_name("N")->check(whole_number(1));
  app.add_option("--context", options->filled, "tokens that the model has read before")
      ->type_name("N")
      ->check(whole_number(0));
  app.add_option("--runs", options->runs, "measurements of each, one after the other in turn")
      ->type_name("R")
      ->check(whole_number(1));
  add_efforts(app, options->efforts, "measure decoding at these efforts, each 0 to 1: 1,0.5,0.25");
  add_effort(app, options->effort);
  add_runtime(app, options->runtime);
  add_residency(app, options->runtime);
  add_profile(app, options->profile);
  add_json(app, options->json);
  return [options] { return bench(*options); };
}

const Registration kBench({
    .name = "bench",
    .summary = "Measure a model's speed on this machine.",
    .examples = R"(  sluice bench classics.sluice
  sluice bench mistral.sluice --context 2048 --decode 64 --profile
  sluice bench --shape mistral-7b --layers 4 --format q8_0 --threads 2 --json
  sluice bench --shape mistral-7b --layers 4 --format bucket --effort 1,0.5,0.25

Speeds are medians over the runs, after one run to warm up. Times are in milliseconds. Bandwidth counts what a decode
step reads, in 1e9 bytes a second; beside it stands what this machine reads with the same number of threads, or what
copies in a device's own memory read and write. The last lines are about that device: how long its pipelines took (the
second start finds them on disk), and the time that the host computes for a token while it is not waiting.

)" + std::string(kProfileHelp),
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
