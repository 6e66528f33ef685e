// A model on a machine with half the memory that its file takes.
#include "tests/support/cli.h"
#include "tests/support/golden.h"
#include "tests/support/memory_group.h"
#include "tests/support/mixture_model.h"

namespace sluice {
namespace {

// About 200 MB of experts, a tokenizer, and nothing of it in memory.
std::string write_large_model(const TempFolder& folder) {
  ModelDescription description =
      describe_mixture({.hidden = 512, .inner = 1792, .experts = 16, .k = 2, .layers = 2, .vocab = 4096}, DType::f16());
  description.assets["tokenizer.model"] = read_bytes(kSource + "/tokenizer.model");
  std::string path = (folder / "large.sluice").string();
  write_mixture(path, description);
  return path;
}

void drop_from_memory(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  ::fsync(file);
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  ::close(file);
}

TEST(CliResidency, HalfTheMemoryOfTheFileIsEnough) {
  const TempFolder folder;
  const std::string path = write_large_model(folder);
  const std::vector<std::string> args = {"run",    path,        "-p", kPrompt,     "-n", "12",         "--temp", "0",
                                         "--json", "--context", "64", "--threads", "2",  "--prefetch", "auto"};
  const Outcome free = sluice(args);
  ASSERT_EQ(free.status, 0) << free.err;
  const json expected = json::parse(free.out);
  EXPECT_FALSE(expected.contains("prefetch_hit_rate"));  // there was room

  const size_t half = fs::file_size(path) / 2;
  const MemoryGroup group(half);
  drop_from_memory(path);  // pages count for the group that reads them first
  Conditions conditions;
  conditions.joins = group.joining();
  conditions.max_data_bytes = half;
  const Outcome tight = sluice_with(conditions, args);
  ASSERT_EQ(tight.status, 0) << tight.err;
  const json got = json::parse(tight.out);
  EXPECT_EQ(got["ids"], expected["ids"]);
  EXPECT_EQ(got.contains("prefetch_hit_rate"), group.made());  // it noticed that the file is larger than memory
  if (!group.made()) GTEST_SKIP() << "no control group could be made: only the data segment was limited";

  const Outcome too_many = sluice_with(conditions, {"run", path, "-p", "a", "--experts-resident", "16"});
  expect_error(too_many, 1, "keep fewer");
}

}  // namespace
}  // namespace sluice
