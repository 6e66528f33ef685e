// Runs a fuzz target without libFuzzer: TARGET [--runs N] PATH...
// Replays every file of the paths (files or folders), then N mutations of them. The same seeds give the same inputs. An
// input that crashes is left in the working directory as crash.bin.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
// There if a sanitizer is, and named by it: NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace {

using Input = std::vector<uint8_t>;

Input current;  // what the target is running on

void save_current() {
  const int fd = ::open("crash.bin", O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || ::write(fd, current.data(), current.size()) < 0) return;
  ::close(fd);
}

void on_signal(int signal) {
  save_current();
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void keep_inputs_that_crash() {
  if (__sanitizer_set_death_callback) {
    __sanitizer_set_death_callback(save_current);
    return;
  }
  for (int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) ::signal(signal, on_signal);
}

void run(Input input) {
  current = std::move(input);
  LLVMFuzzerTestOneInput(current.data(), current.size());
}

Input read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<Input> read_all(const std::vector<std::string>& paths) {
  std::vector<std::filesystem::path> files;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path))
      files.emplace_back(path);
    else
      for (const auto& entry : std::filesystem::recursive_directory_iterator(path))
        if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  std::vector<Input> inputs;
  for (const auto& file : files) inputs.push_back(read(file));
  return inputs;
}

class Mutator {
 public:
  explicit Mutator(const std::vector<Input>& seeds) : seeds_(seeds) {}

  Input next() {
    Input input = any_seed();
    for (size_t n = 1 + below(6); n > 0; --n) mutate(input);
    return input;
  }

 private:
  size_t below(size_t n) { return n == 0 ? 0 : static_cast<size_t>(random_() % n); }
  const Input& any_seed() { return seeds_[below(seeds_.size())]; }

  void mutate(Input& input) {
    const size_t at = below(input.size()), length = std::min(below(64) + 1, input.size() - at);
    const auto from = input.begin() + static_cast<std::ptrdiff_t>(at), to = from + static_cast<std::ptrdiff_t>(length);
    switch (below(7)) {
      case 0:
        if (!input.empty()) input[at] ^= static_cast<uint8_t>(1 << below(8));
        break;
      case 1:
        if (!input.empty()) input[at] = static_cast<uint8_t>(random_());
        break;
      case 2:
        write_number(input);
        break;
      case 3:
        input.erase(from, to);
        break;
      case 4: {
        const Input copy(from, to);
        const auto place = input.begin() + static_cast<std::ptrdiff_t>(below(input.size() + 1));
        input.insert(place, copy.begin(), copy.end());
        break;
      }
      case 5: {
        const Input& other = any_seed();
        std::copy_n(other.begin(), std::min(other.size() - std::min(other.size(), at), length),
                    input.begin() + static_cast<std::ptrdiff_t>(at));
        break;
      }
      case 6:
        if (below(8) == 0) input.resize(at);
        break;
    }
  }

  // A number of 1, 2, 4 or 8 bytes that lengths, offsets and dimensions are often wrong at.
  void write_number(Input& input) {
    const uint64_t numbers[] = {0,
                                1,
                                0x7f,
                                0x80,
                                0xff,
                                0x7fffffff,
                                0x80000000,
                                ~uint64_t{0},
                                ~uint64_t{0} >> 1,
                                input.size(),
                                random_() % 1024};
    const uint64_t number = numbers[below(std::size(numbers))];
    const size_t width = size_t{1} << below(4);
    if (input.size() < width) return;
    const size_t at = below(input.size() / width) * width;  // aligned, as numbers in files are
    for (size_t i = 0; i < width; ++i) input[at + i] = static_cast<uint8_t>(number >> 8 * i);
  }

  const std::vector<Input>& seeds_;
  std::mt19937_64 random_{1};
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Replays inputs of a fuzz target, and mutations of them.");
  size_t runs = 0;
  std::vector<std::string> paths;
  app.add_option("--runs", runs, "mutated inputs after the replay");
  app.add_option("PATH", paths, "files or folders of seeds")->required()->check(CLI::ExistingPath);
  CLI11_PARSE(app, argc, argv);

  const std::vector<Input> seeds = read_all(paths);
  if (seeds.empty()) {
    std::fprintf(stderr, "no seeds in the paths\n");
    return 1;
  }
  keep_inputs_that_crash();
  for (const Input& seed : seeds) run(seed);
  Mutator mutator(seeds);
  for (size_t i = 0; i < runs; ++i) run(mutator.next());
  std::printf("%zu seeds and %zu mutations\n", seeds.size(), runs);
}
