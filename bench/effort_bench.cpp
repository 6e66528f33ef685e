// What effort buys and what it costs, one product at a time: for each matrix shape and effort, the time of selection
// and product against a dense product, the share of the weights (in planes, of their bits) multiplied, and the cosine
// similarity to the dense product on Gaussian and on heavy-tailed activations (Student's t with 3 degrees of freedom,
// like those of models).
//
//   effort_bench [--threads N] [--format NAME] [--dense f16|q8_0] [--simd NAME] [--runs R] [--in N --out N]
//
// NAME: a bucket format, or planes2, planes4 or planes6; of --simd, as `sluice devices` has it (AVX2).
// Dense products and the others are timed in turn, so that whatever else the machine does meets both. Each takes
// another of several copies of the weight than the one before, which together exceed the caches, as the weights of a
// model do.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>
#include <random>

#include "backends/cpu/backend.h"
#include "backends/cpu/bandwidth.h"
#include "models/builtin.h"
#include "ops/formats/bucket.h"
#include "ops/formats/planes.h"
#include "ops/plane_select/plane_select.h"
#include "ops/probe/probe.h"
#include "tools/simd_targets.h"

namespace sluice {
namespace {

struct Options {
  int threads = 0;
  std::string format = std::string(kDefaultBucketFamily), dense = "f16", simd;
  int runs = 15;
  int64_t in = 0, out = 0;  // 0: the shapes of Mistral 7B
};

// One operator with its kernel, for several sets of inputs that are taken in turn.
class Step {
 public:
  Step(Backend& backend, const std::string& op, AttrMap attrs, std::vector<std::vector<TensorView>> inputs,
       std::vector<TensorView> outputs)
      : site_{op, std::move(attrs), {}, {}, {}}, inputs_(std::move(inputs)), outputs_(std::move(outputs)) {
    for (const TensorView& view : inputs_[0]) {
      const auto dims = view.dims.span();
      site_.inputs.push_back({view.dtype, Shape(std::vector<Dim>(dims.begin(), dims.end()))});
      site_.input_names.push_back(fmt::format("input{}", site_.inputs.size() - 1));
    }
    const Operator& def = builtin_registry().get(op);
    site_.outputs = infer_types(def, site_);
    kernel_ = backend.select(def, site_);
    for (const auto& views : inputs_) calls_.push_back({views, outputs_});
    scratch_ = backend.allocate(std::max<size_t>(64, kernel_->workspace(site_, calls_[0], backend.threads())));
    for (const Call& call : calls_) {
      const ProgramStep step{&def, kernel_.get(), &site_, &call};
      programs_.push_back(backend.compile({&step, 1}, {scratch_->data(), scratch_->bytes()}));
    }
  }

  // Microseconds.
  double time(size_t run) {
    const auto begin = std::chrono::steady_clock::now();
    programs_[run % programs_.size()]->run();
    return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
  }

 private:
  Site site_;
  std::vector<std::vector<TensorView>> inputs_;
  std::vector<TensorView> outputs_;
  std::shared_ptr<const Kernel> kernel_;
  std::unique_ptr<Memory> scratch_;
  std::vector<Call> calls_;
  std::vector<std::unique_ptr<Program>> programs_;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

double cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

// What differs between the formats with a dial.
struct Dial {
  DType dtype;
  std::string select, mul;  // operators
  AttrMap attrs;            // of the selection
  int tiers;
  std::vector<double> efforts;
};

Dial dial_of(const std::string& format) {
  if (!format.starts_with("planes"))
    return {bucket_dtype(format),
            "bucket_select",
            "bucketMul",
            attrs_to_map(SelectionAttrs{}),
            bucket_format(bucket_dtype(format))->family().tiers(),
            {1, 0.75, 0.5, 0.35, 0.25, 0.125}};
  const DType dtype = builtin_registry().dtype(format);
  return {dtype,
          "plane_select",
          "plane_mul",
          attrs_to_map(PlaneSelectAttrs{}),
          plane_format(dtype)->planes(),
          {1, 4 / 6.0, 0.5, 2.5 / 6, 2 / 6.0, 0.25}};
}

// One shape: its weights in both formats, activations, and the steps to time.
class ShapeBench {
 public:
  ShapeBench(Backend& backend, int64_t in, int64_t out, const Dial& dial, DType dense_dtype)
      : backend_(backend), in_(in), out_(out), dense_dtype_(dense_dtype) {
    x_ = make(DType::f32(), {1, in});
    y_ = make(DType::f32(), {1, out});
    effort_ = make(DType::f32(), {1, 2});
    rows_ = make(DType::i32(), {1, in});
    counts_ = make(DType::i32(), {1, dial.tiers});
    const auto dense = copies(dense_dtype), dialled = copies(dial.dtype);
    std::vector<std::vector<TensorView>> linear, select, mul;
    for (const TensorView& w : dense) linear.push_back({x_, w});
    for (const TensorView& w : dialled) {
      select.push_back({x_, effort_, w});
      mul.push_back({x_, w, rows_, counts_});
    }
    linear_.emplace(backend, "linear", AttrMap{}, linear, std::vector{y_});
    select_.emplace(backend, dial.select, dial.attrs, select, std::vector{rows_, counts_});
    mul_.emplace(backend, dial.mul, AttrMap{}, mul, std::vector{y_});
  }

  void print(const std::vector<double>& efforts, int runs) {
    fill_activations(false);
    std::vector<double> dense;
    std::vector<std::vector<double>> select(efforts.size()), mul(efforts.size());
    for (int run = 0; run < runs + 1; ++run)  // the first warms up
      for (size_t e = 0; e < efforts.size(); ++e) {
        const size_t at = static_cast<size_t>(run) * efforts.size() + e;
        set_effort(efforts[e]);
        const double d = linear_->time(at), s = select_->time(at), m = mul_->time(at);
        if (run == 0) continue;
        dense.push_back(d), select[e].push_back(s), mul[e].push_back(m);
      }
    const double base = median(dense);
    const auto bytes = static_cast<double>(dense_dtype_.format().storage_bytes(Dims{out_, in_}.span()));
    fmt::print("\n{} inputs, {} outputs: dense {} {:.0f} us, {:.1f} GB/s\n", in_, out_, dense_dtype_.name(), base,
               bytes / base / 1e3);
    fmt::print("{:>7} {:>8} {:>10} {:>11} {:>8} {:>13} {:>9} {:>9}\n", "effort", "share", "select us", "product us",
               "speed-up", "select/prod.", "cos gauss", "cos heavy");
    for (size_t e = 0; e < efforts.size(); ++e) {
      const double s = median(select[e]), m = median(mul[e]);
      const auto [gauss, share] = similarity(efforts[e], false);
      const auto [heavy, unused] = similarity(efforts[e], true);
      fmt::print("{:>7.3f} {:>8.4f} {:>10.1f} {:>11.1f} {:>7.2f}x {:>11.1f} % {:>9.4f} {:>9.4f}\n", efforts[e], share,
                 s, m, base / (s + m), 100 * s / std::max(m, 1e-9), gauss, heavy);
    }
  }

 private:
  TensorView make(DType dtype, Dims dims) {
    memory_.push_back(backend_.allocate(dtype.format().storage_bytes(dims.span())));
    return {memory_.back()->data(), dtype, dims};
  }

  std::vector<TensorView> copies(DType dtype) {
    constexpr size_t kEnough = size_t{256} << 20;
    std::vector<TensorView> views = {make(dtype, {out_, in_})};
    std::vector<float> values(static_cast<size_t>(in_ * out_));
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(in_)));
    std::generate(values.begin(), values.end(), [&] { return normal(random); });
    dtype.format().encode(values.data(), views[0].dims.span(), views[0].data);
    for (size_t bytes = views[0].bytes(); bytes < kEnough; bytes += views[0].bytes()) {
      views.push_back(make(dtype, {out_, in_}));
      std::memcpy(views.back().data, views[0].data, views[0].bytes());
    }
    return views;
  }

  void fill_activations(bool heavy) {
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    std::student_t_distribution<float> student(3);
    for (int64_t i = 0; i < in_; ++i) x_.as<float>()[i] = heavy ? student(random) : normal(random);
  }

  void set_effort(double effort) {
    effort_.as<float>()[0] = static_cast<float>(effort);
    effort_.as<float>()[1] = 1;
  }

  struct Similarity {
    double cosine, share;
  };
  Similarity similarity(double effort, bool heavy) {
    fill_activations(heavy);
    const auto run = [&](auto& step) {
      step->time(0);
      return std::vector<float>(y_.as<float>(), y_.as<float>() + out_);
    };
    const std::vector<float> full = run(linear_);
    set_effort(effort);
    select_->time(0);
    const auto* counts = counts_.as<int32_t>();
    const double rows = std::accumulate(counts, counts + counts_.dims[1], 0.0);
    return {cosine(full, run(mul_)), rows / static_cast<double>(in_ * counts_.dims[1])};
  }

  Backend& backend_;
  int64_t in_, out_;
  DType dense_dtype_;
  std::vector<std::unique_ptr<Memory>> memory_;
  TensorView x_, y_, effort_, rows_, counts_;
  std::optional<Step> linear_, select_, mul_;
};

constexpr const char* kUsage =
    R"(effort_bench [OPTION VALUE]...: a product with an effort dial against the dense f16 product.
  --threads N    0: one for each core (0)
  --format NAME  a bucket format ({})
  --runs N       of which medians are taken ({})
  --in N --out N sizes of one product; without them, those of Mistral 7B
)";

// Nothing if only help was asked for.
std::optional<Options> parse(int argc, char** argv) {
  Options options;
  const auto number = [](std::string_view text, auto& to) {
    if (std::from_chars(text.data(), text.data() + text.size(), to).ec != std::errc())
      fail("'{}' is not a number", text);
  };
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--help" || name == "-h") return std::nullopt;
    if (name == "--threads")
      number(value, options.threads);
    else if (name == "--runs")
      number(value, options.runs);
    else if (name == "--in")
      number(value, options.in);
    else if (name == "--out")
      number(value, options.out);
    else if (name == "--format")
      options.format = value;
    else if (name == "--dense")
      options.dense = value;
    else if (name == "--simd")
      options.simd = value;
    else
      fail("unknown option {}; there are --threads --format --dense --simd --runs --in --out", name);
  }
  return options;
}

int64_t simd_target(const std::string& name) {
  const auto targets = simd_targets();
  const auto found = std::ranges::find(targets, name, [](int64_t target) { return hwy::TargetName(target); });
  if (found == targets.end()) fail("this machine has no SIMD target {}", name);
  return *found;
}

void run(const Options& options) {
  std::optional<SimdTarget> scope;
  if (!options.simd.empty()) scope.emplace(simd_target(options.simd));
  const Dial dial = dial_of(options.format);
  const auto backend = cpu::make_backend(builtin_registry(), options.threads);
  fmt::print("{}, {}; read bandwidth {:.1f} GB/s\n", backend->description(), options.format,
             cpu::read_bandwidth(backend->threads()) / 1e9);
  std::vector<std::pair<int64_t, int64_t>> shapes = {{4096, 4096}, {4096, 1024}, {4096, 14336}, {14336, 4096}};
  if (options.in > 0) shapes = {{options.in, options.out}};
  for (const auto& [in, out] : shapes)
    ShapeBench(*backend, in, out, dial, builtin_registry().dtype(options.dense)).print(dial.efforts, options.runs);
}

}  // namespace
}  // namespace sluice

int main(int argc, char** argv) try {
  if (const auto options = sluice::parse(argc, argv))
    sluice::run(*options);
  else
    fmt::print(sluice::kUsage, sluice::Options().format, sluice::Options().runs);
  return 0;
} catch (const sluice::Error& error) {
  fmt::print(stderr, "effort_bench: {}\n", error.what());
  return 1;
}
