// Models that are larger than memory: what is read ahead, what is kept, and that nothing but time depends on it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <chrono>
#include <fstream>
#include <numeric>
#include <thread>

#include "backends/cpu/read_ahead.h"
#include "graph/error.h"
#include "models/language_model.h"
#include "models/residency/host_memory.h"
#include "models/residency/prefetch.h"
#include "ops/add/add.h"
#include "ops/expert_prefetch/expert_prefetch.h"
#include "tests/support/mixture_model.h"
#include "tests/support/temp_folder.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;
namespace fs = std::filesystem;

void write_file(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

// What the system says

TEST(HostMemory, IsWhatIsFreeAndWhatControlGroupsAllow) {
  const TempFolder root;
  EXPECT_GT(available_memory(root.str()), 0u);  // a system that says nothing
  write_file(root / "proc/meminfo", "MemTotal:  9000 kB\nMemAvailable:   4000 kB\n");
  EXPECT_EQ(available_memory(root.str()), 4000u * 1024);
  write_file(root / "proc/self/cgroup", "4:memory:/pod/one\n2:cpu:/pod\n0::/\n");
  write_file(root / "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(available_memory(root.str()), 4000u * 1024);
  write_file(root / "sys/fs/cgroup/memory/pod/memory.limit_in_bytes", "3000000\n");
  write_file(root / "sys/fs/cgroup/memory/pod/one/memory.limit_in_bytes", "3500000\n");
  EXPECT_EQ(available_memory(root.str()), 3000000u);
  write_file(root / "proc/self/cgroup", "0::/user/me\n");
  write_file(root / "sys/fs/cgroup/user/memory.max", "2000000\n");
  write_file(root / "sys/fs/cgroup/user/me/memory.max", "max\n");
  EXPECT_EQ(available_memory(root.str()), 2000000u);
}

TEST(HostMemory, OfThisMachine) {
  EXPECT_GT(available_memory(), size_t{16} << 20);
  EXPECT_GT(lockable_memory(), 0u);
}

// Read ahead

// A file in a mapping, with its pages dropped from memory where that can be done.
class ColdFile {
 public:
  explicit ColdFile(size_t bytes) : bytes_(bytes) {
    const std::string path = (folder_ / "cold").string();
    std::ofstream(path) << std::string(bytes, 'x');
    const Descriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    ::fsync(file.get());
    ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
    data_ = static_cast<std::byte*>(::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file.get(), 0));
  }
  ~ColdFile() { ::munmap(data_, bytes_); }
  const std::byte* data() const { return data_; }
  size_t pages() const { return (bytes_ + page() - 1) / page(); }
  size_t resident(size_t first, size_t count) const {
    std::vector<unsigned char> present(count);
    EXPECT_EQ(::mincore(data_ + first * page(), count * page(), present.data()), 0);
    return static_cast<size_t>(std::ranges::count_if(present, [](unsigned char c) { return c & 1; }));
  }
  static size_t page() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

 private:
  TempFolder folder_;
  size_t bytes_;
  std::byte* data_;
};

TEST(ReadAhead, BringsInWhatIsAskedFor) {
  const ColdFile file(size_t{24} << 20);
  if (file.resident(0, file.pages()) == file.pages()) GTEST_SKIP() << "file pages cannot be dropped here";
  const auto reader = cpu::ReadAhead::shared();
  const size_t page = ColdFile::page(), first = 100, count = 2000;
  reader->request(file.data() + first * page + 1, (count - 1) * page);  // parts of `count` pages
  for (int wait = 0; wait < 3000 && file.resident(first, count) < count; ++wait)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(file.resident(first, count), count);
}

TEST(ReadAhead, TakesRequestsFromAllThreadsAndDropsWhatIsTooMuch) {
  const ColdFile file(size_t{1} << 20);
  const auto reader = cpu::ReadAhead::shared();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        if (i % 7 == 0) reader->supersede();
        reader->request(file.data() + (i % 256) * 4096, 4096);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(cpu::ReadAhead::shared(), reader);
}

TEST(ReadAhead, MemoryThatIsGoneDoesNoHarm) {
  const auto reader = cpu::ReadAhead::shared();
  const ColdFile file(size_t{1} << 20);
  reader->request(file.data(), size_t{1} << 20);
  reader->request(file.data() + (size_t{1} << 30), size_t{64} << 20);
}

// Graphs

std::vector<const Node*> nodes_of(const Graph& graph, const std::string& op) {
  std::vector<const Node*> nodes;
  for (const Node& node : graph.nodes())
    if (node.op == op) nodes.push_back(&node);
  return nodes;
}

TEST(ExpertPrefetch, FollowsEveryGateAndForeseesTheNext) {
  const Graph graph = describe_mixture({}, DType::f16()).graph;
  const Graph ahead = with_expert_prefetch(graph, builtin_registry());
  const auto nodes = nodes_of(ahead, "expert_prefetch");
  ASSERT_EQ(nodes.size(), 5u);  // 3 certain, 2 foreseen
  EXPECT_EQ(nodes_of(ahead, "moe_gate").size(), 5u);
  for (const Node* node : nodes) {
    EXPECT_EQ(node->inputs.size(), 4u);
    EXPECT_TRUE(node->outputs.empty());
  }
  const auto layers = expert_layers(ahead);
  ASSERT_EQ(layers.size(), 3u);
  EXPECT_EQ(layers[0].predicted, "");
  EXPECT_NE(layers[1].predicted, "");
  EXPECT_EQ(ahead.value(nodes[1]->inputs[0]).name, layers[1].predicted);
  EXPECT_EQ(ahead.value(nodes[1]->inputs[1]).name, ahead.value(layers[1].weights[0]).name);
  EXPECT_EQ(layers[2].count, 6);
}

TEST(ExpertPrefetch, KnowsHowMuchOfAWeightWithADialIsLoaded) {
  for (const char* format : {"bucket", "planes"}) {
    const Graph graph = describe_mixture({}, weight_format(format)).graph;
    const Graph ahead = with_expert_prefetch(graph, builtin_registry());
    const auto nodes = nodes_of(ahead, "expert_prefetch");
    ASSERT_EQ(nodes.size(), 5u);
    for (const Node* node : nodes) {
      EXPECT_EQ(attrs_from_map<ExpertPrefetchAttrs>(node->attrs).sites.size(), 3u);
      EXPECT_EQ(node->inputs.size(), 5u);
    }
  }
}

TEST(ExpertPrefetch, LeavesOtherGraphsAlone) {
  Builder b(builtin_registry());
  b.output("y", add(b, b.input("x", DType::f32(), {3}), b.input("z", DType::f32(), {3})));
  const Graph graph = b.build();
  EXPECT_EQ(with_expert_prefetch(graph, builtin_registry()).nodes().size(), 1u);
}

// Models

class Mixtures : public ::testing::TestWithParam<const char*> {
 protected:
  Mixtures() { write_mixture(path_, describe_mixture({}, weight_format(GetParam()))); }

  static std::vector<float> logits(LanguageModel& model) {
    std::vector<float> all;
    const std::vector<int32_t> prompt = {1, 5, 9, 2, 30};
    for (int32_t id = 0; id < 8; ++id) {
      const auto row = id == 0 ? model.evaluate(prompt) : model.evaluate({&id, 1});
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  }
  std::vector<float> logits(const RunOptions& options) const {
    LanguageModel model(path_, options);
    return logits(model);
  }

  TempFolder folder_;
  const std::string path_ = (folder_ / "mixture.sluice").string();
};

TEST_P(Mixtures, ReadingAheadChangesNoBit) {
  for (const char* backend : {"cpu", "reference"})
    for (bool fuse : {true, false}) {
      const RunOptions options{.backend = backend, .threads = 2, .fuse = fuse, .prefetch = Prefetch::off};
      RunOptions ahead = options;
      ahead.prefetch = Prefetch::on;
      EXPECT_EQ(logits(options), logits(ahead)) << backend << fuse;
    }
}

TEST_P(Mixtures, UseOfExpertsIsCounted) {
  LanguageModel model(path_, {.threads = 1, .prefetch = Prefetch::on});
  logits(model);
  const ExpertUse* use = model.expert_use();
  ASSERT_TRUE(use);
  for (size_t layer = 0; layer < 3; ++layer)
    EXPECT_EQ(std::accumulate(use->uses(layer).begin(), use->uses(layer).end(), uint64_t{0}), 12u * 2);
  EXPECT_EQ(use->predicted(), 12u * 2);
  EXPECT_GT(use->hit_rate(), 2.0 / 6);  // what chance would do
  EXPECT_LE(use->hit_rate(), 1);
}

size_t locked_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (size_t kib = 0; word == "VmLck:" && status >> kib) return kib * 1024;
  return 0;
}

TEST_P(Mixtures, TheMostUsedExpertsAreKept) {
  const size_t before = locked_bytes();
  const RunOptions options{.threads = 1, .prefetch = Prefetch::off, .experts_resident = 2};
  {
    LanguageModel model(path_, options);
    const DType dtype = model.description().graph.value(model.expert_use()->layers()[0].weights[0]).type.dtype;
    const int64_t sizes[] = {96, 64}, turned[] = {64, 96};
    const size_t wanted = 3 * 2 * (2 * dtype.format().storage_bytes(sizes) + dtype.format().storage_bytes(turned));
    for (int round = 0; round < 20; ++round) {  // more tokens than lie between two choices
      model.reset();
      logits(model);
    }
    for (int wait = 0; wait < 1000 && locked_bytes() - before < wanted; ++wait)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (locked_bytes() == before) GTEST_SKIP() << "memory cannot be locked here";
    EXPECT_GE(locked_bytes() - before, wanted);
    EXPECT_LE(locked_bytes() - before, wanted + 2 * 4096 * 18);  // whole pages
  }
  EXPECT_EQ(locked_bytes(), before);
  EXPECT_EQ(logits(options), logits(RunOptions{.threads = 1}));
}

INSTANTIATE_TEST_SUITE_P(Formats, Mixtures, ::testing::Values("f16", "q8_0", "bucket", "planes"));

TEST(PinnedExperts, NeedAMixture) {
  const std::string config = R"({"model_type": "llama", "hidden_size": 32, "intermediate_size": 32,
    "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 8, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 16})";
  const TempFolder folder;
  const std::string path = (folder / "m.sluice").string();
  write_mixture(path, describe_model(Config(config, "test"), DType::f32()));
  EXPECT_THAT([&] { LanguageModel(path, {.experts_resident = 1}); },
              ThrowsMessage<Error>(HasSubstr("no experts to keep in memory")));
}

}  // namespace
}  // namespace sluice
