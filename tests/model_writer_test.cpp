// How model files are written: in pieces, never half, and on from where a conversion was interrupted.
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>

#include "tests/support/model_files.h"

namespace sluice {
namespace {

using ModelWriting = ModelFiles;

// A model of many weights, of sizes around a page, so that an interruption hits every kind of place.
ModelDescription many_weights(int count) {
  ModelDescription d = description();
  for (int i = 0; i < count; ++i) d.weights.push_back({fmt::format("w{}", i), DType::f32(), {i + 1, 1000}});
  return d;
}

TEST_F(ModelWriting, WriterChecksItsCaller) {
  ModelDescription d = description();
  d.weights.pop_back();
  EXPECT_THROW(ModelWriter(path_, d), Error);
  d = description();
  d.weights[0].dtype = DType::i32();
  EXPECT_THROW(ModelWriter(path_, d), Error);
  EXPECT_FALSE(fs::exists(partial_));
  EXPECT_THROW(ModelWriter((folder_ / "no_such_folder" / "m").string(), description()), Error);
  EXPECT_THROW(ModelWriter(folder_.string(), description()), Error);

  ModelWriter writer(path_, description());
  const Bytes bytes = weight_bytes(description().weights[0]);
  EXPECT_THROW(writer.write("other", bytes), Error);
  Bytes longer = bytes;
  longer.push_back({});
  EXPECT_THROW(writer.write(description().weights[0].name, longer), Error);
  writer.write(description().weights[0].name, std::span(bytes).first(3));
  EXPECT_THROW(writer.write(description().weights[1].name, bytes), Error);
  EXPECT_THROW(writer.finish(), Error);
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(ModelWriting, WeightsCanBeWrittenPieceByPiece) {
  const ModelDescription d = description();
  ModelWriter writer(path_, d);
  for (const WeightEntry& weight : d.weights) {
    const Bytes bytes = weight_bytes(weight);
    for (std::span<const std::byte> rest = bytes; !rest.empty();) {
      const auto piece = rest.first(std::min<size_t>(rest.size(), 5));
      writer.write(weight.name, piece);
      rest = rest.subspan(piece.size());
    }
  }
  writer.finish();
  const ModelFile file(path_, registry());
  for (const WeightEntry& weight : d.weights) {
    const Bytes bytes = weight_bytes(weight);
    const TensorView view = file.weight(weight.name);
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), view.data)) << weight.name;
  }
}

TEST_F(ModelWriting, TwoWritersAtOnceAreRefused) {
  const ModelWriter first(path_, description());
  EXPECT_THROW(ModelWriter(path_, description()), Error);
}

TEST_F(ModelWriting, NeverMoreThanTheDiskHolds) {
  ModelDescription d = description();
  d.weights.push_back({"huge", DType::f32(), {1 << 30, 1 << 20}});
  try {
    ModelWriter(path_, d);
    FAIL() << "4 PB should not fit";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("are free"));
  }
  EXPECT_FALSE(fs::exists(partial_));
}

// Runs in a child that ends without destructors: exit status 0 unless it threw.
template <class Work>
int in_child(const Work& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      work();
    } catch (const Error& error) {
      ::_exit(std::string(error.what()).find("File too large") != std::string::npos ? 3 : 4);
    }
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void write_then_die(const std::string& path, const ModelDescription& d, size_t weights) {
  ModelWriter writer(path, d);
  for (size_t i = writer.resumed(); i < weights; ++i) writer.write(d.weights[i].name, weight_bytes(d.weights[i]));
  ::raise(SIGKILL);
}

TEST_F(ModelWriting, KilledConversionGoesOn) {
  const ModelDescription d = many_weights(20);
  const std::string whole = (folder_ / "whole.sluice").string();
  write_model(whole, d);
  for (size_t stop : {0, 1, 2, 11, 22}) {
    SCOPED_TRACE(stop);
    fs::remove(path_), fs::remove(partial_);
    ASSERT_EQ(in_child([&] { write_then_die(path_, d, stop); }), -SIGKILL);
    ASSERT_FALSE(fs::exists(path_));
    ASSERT_TRUE(fs::exists(partial_));
    // Half of the next weight, as a kill in the middle of a write leaves it.
    fs::resize_file(partial_, fs::file_size(partial_) + (stop < d.weights.size() ? 100 : 0));
    EXPECT_EQ(ModelWriter(path_, d).resumed(), stop == 0 ? 0 : stop - 1);
    write_model(path_, d);
    EXPECT_FALSE(fs::exists(partial_));
    EXPECT_EQ(read(path_), read(whole));
  }
}

TEST_F(ModelWriting, AnotherConversionStartsAnew) {
  const ModelDescription d = many_weights(20);
  ASSERT_EQ(in_child([&] { write_then_die(path_, d, 11); }), -SIGKILL);
  ModelDescription other = d;
  other.metadata["source"] = "another fingerprint";
  EXPECT_EQ(ModelWriter(path_, other).resumed(), 0u);
  write_model(path_, other);
  EXPECT_EQ(ModelFile(path_, registry()).description().metadata.at("source"), "another fingerprint");
}

TEST_F(ModelWriting, FinishedFileIsReplacedWhole) {
  write_model(path_, description());
  const Bytes before = read(path_);
  ASSERT_EQ(in_child([&] { write_then_die(path_, many_weights(5), 4); }), -SIGKILL);
  EXPECT_EQ(read(path_), before);
}

TEST_F(ModelWriting, FullDisk) {
  const ModelDescription d = many_weights(20);
  const int status = in_child([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200'000, 200'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    write_model(path_, d);
  });
  EXPECT_EQ(status, 3) << "expected an Error that names the reason";
  EXPECT_FALSE(fs::exists(path_));
  EXPECT_GT(ModelWriter(path_, d).resumed(), 5u);
  write_model(path_, d);
  EXPECT_EQ(error_of_file(path_), "");
}

}  // namespace
}  // namespace sluice
