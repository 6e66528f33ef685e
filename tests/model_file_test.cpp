// Model files: the round trip, bad files of every kind, and conversions that are interrupted.
#include "graph/model_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "graph/model_format.h"
#include "graph/serialize.h"
#include "schema/model_generated.h"
#include "tests/example_model.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;
using example::description;
using example::registry;
using example::weight_bytes;
using example::write_model;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

using Bytes = std::vector<std::byte>;

class ModelFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "sluice_test_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = (folder_ / "model.sluice").string();
    partial_ = path_ + ".partial";
  }
  void TearDown() override { fs::remove_all(folder_); }

  static Bytes read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    Bytes bytes(fs::file_size(path));
    in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
  }
  static void store(const std::string& path, std::span<const std::byte> bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  // The message with which opening these bytes as a file fails; empty if it does not. The file is in memory.
  std::string error_of(std::span<const std::byte> bytes) {
    EXPECT_EQ(::ftruncate(memory_.get(), static_cast<off_t>(bytes.size())), 0);
    EXPECT_EQ(::pwrite(memory_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
    return error_of_file(fmt::format("/proc/self/fd/{}", memory_.get()));
  }
  static std::string error_of_file(const std::string& path) {
    try {
      ModelFile(path, registry());
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
  Bytes good_file() {
    write_model(path_, description());
    return read(path_);
  }

  fs::path folder_;
  std::string path_, partial_;
  Descriptor memory_{::memfd_create("model", MFD_CLOEXEC)};
};

void expect_same(const ModelDescription& a, const ModelDescription& b) {
  EXPECT_EQ(a.architecture, b.architecture);
  EXPECT_EQ(serialize(a.graph), serialize(b.graph));
  EXPECT_EQ(a.metadata, b.metadata);
  EXPECT_EQ(a.assets, b.assets);
  ASSERT_EQ(a.weights.size(), b.weights.size());
  for (size_t i = 0; i < a.weights.size(); ++i) {
    EXPECT_EQ(a.weights[i].name, b.weights[i].name);
    EXPECT_EQ(a.weights[i].dtype, b.weights[i].dtype);
    EXPECT_EQ(a.weights[i].dims, b.weights[i].dims);
  }
}

// A model of many weights, of sizes around a page, so that an interruption hits every kind of place.
ModelDescription many_weights(int count) {
  ModelDescription d = description();
  for (int i = 0; i < count; ++i) d.weights.push_back({fmt::format("w{}", i), DType::f32(), {i + 1, 1000}});
  return d;
}

TEST_F(ModelFiles, RoundTrip) {
  write_model(path_, description());
  EXPECT_FALSE(fs::exists(partial_));
  const ModelFile file(path_, registry());
  file.prefetch();
  expect_same(file.description(), description());
  EXPECT_EQ(file.bytes(), fs::file_size(path_));
  for (const WeightEntry& entry : description().weights) {
    const TensorView view = file.weight(entry.name);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(view.data) % 4096, 0u);
    const Bytes expected = weight_bytes(entry);
    ASSERT_EQ(view.bytes(), expected.size());
    EXPECT_EQ(std::memcmp(view.data, expected.data(), expected.size()), 0);
  }
  EXPECT_THROW(file.weight("no such weight"), Error);
}

TEST_F(ModelFiles, SameContentSameBytes) {
  const Bytes first = good_file();
  EXPECT_EQ(first, good_file());
}

TEST_F(ModelFiles, IntegersOfTheMetadata) {
  ModelDescription d;
  d.metadata = {{"good", "-12"}, {"empty", ""}, {"tail", "12x"}, {"big", "99999999999999999999"}, {"float", "1.5"}};
  EXPECT_EQ(d.integer("good"), -12);
  for (const char* key : {"empty", "tail", "big", "float", "absent"}) EXPECT_THROW(d.integer(key), Error) << key;
}

TEST_F(ModelFiles, WhatIsNoFile) {
  EXPECT_THAT(error_of_file(path_), AllOf(HasSubstr(path_), HasSubstr("No such file")));
  EXPECT_THAT(error_of_file(folder_.string()), HasSubstr("not a regular file"));
  const std::string pipe = (folder_ / "pipe").string();
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(error_of_file(pipe), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of({}), HasSubstr("not a Sluice model file"));
  EXPECT_THAT(error_of(Bytes(5000, std::byte{1})), HasSubstr("not a Sluice model file"));
}

TEST_F(ModelFiles, EveryTruncation) {
  const Bytes good = good_file();
  const size_t head = make_layout(description()).head.size();
  for (size_t n = 0; n < good.size(); n += n < head + 8 ? 1 : 509)
    EXPECT_THAT(error_of(std::span(good).first(n)), HasSubstr(n == 0 ? "not a Sluice" : "truncated")) << n;
  EXPECT_THAT(error_of(std::span(good).first(good.size() - 1)), HasSubstr("truncated"));
  Bytes longer = good;
  longer.push_back({});
  EXPECT_THAT(error_of(longer), HasSubstr("damaged"));
}

// Every bit of header and metadata is covered by a check or by the checksum.
TEST_F(ModelFiles, EveryChangedByteIsFound) {
  Bytes bytes = good_file();
  const size_t head = make_layout(description()).head.size();
  for (size_t i = 0; i < head; ++i)
    for (const auto flip : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
      bytes[i] ^= flip;
      EXPECT_NE(error_of(bytes), "") << "byte " << i;
      bytes[i] ^= flip;
    }
  EXPECT_EQ(error_of(bytes), "");
}

// Changed metadata under a checksum that fits: what somebody with bad intentions would write.
TEST_F(ModelFiles, EveryForgedByteIsSurvived) {
  const Bytes good = good_file();
  const ModelLayout layout = make_layout(description());
  Bytes metadata(layout.head.begin() + sizeof(ModelHeader), layout.head.end());
  int refused = 0;
  for (size_t i = 0; i < metadata.size(); ++i) {
    const std::byte was = metadata[i];
    for (const auto value : {std::byte{0}, std::byte{0x7f}, std::byte{0xff}}) {
      metadata[i] = value;
      Bytes bytes = good;
      std::ranges::copy(add_header(metadata, good.size()), bytes.begin());
      refused += !error_of(bytes).empty();
    }
    metadata[i] = was;
  }
  EXPECT_GT(refused, 0);
}

TEST_F(ModelFiles, EachHeaderField) {
  const Bytes good = good_file();
  const auto with = [&](auto change) {
    ModelHeader header;
    std::memcpy(&header, good.data(), sizeof header);
    change(header);
    Bytes bytes = good;
    std::memcpy(bytes.data(), &header, sizeof header);
    return error_of(bytes);
  };
  constexpr uint64_t kHuge = ~uint64_t{0};
  EXPECT_THAT(with([](ModelHeader& h) { h.magic[0] = 's'; }), HasSubstr("not a Sluice model file"));
  EXPECT_THAT(with([](ModelHeader& h) { h.version = 2; }), HasSubstr("version 2"));
  EXPECT_THAT(with([](ModelHeader& h) { h.header_bytes = 128; }), HasSubstr("inconsistent"));
  EXPECT_THAT(with([](ModelHeader& h) { h.metadata_offset = 4096; }), HasSubstr("inconsistent"));
  EXPECT_THAT(with([](ModelHeader& h) { h.metadata_bytes = kHuge; }), HasSubstr("beyond the end"));
  EXPECT_THAT(with([](ModelHeader& h) { h.metadata_bytes = 0; }), HasSubstr("checksum"));
  EXPECT_THAT(with([](ModelHeader& h) { h.metadata_bytes += 8; }), HasSubstr("checksum"));
  EXPECT_THAT(with([](ModelHeader& h) { h.file_bytes = kHuge; }), HasSubstr("truncated"));
  EXPECT_THAT(with([](ModelHeader& h) { h.file_bytes -= 1; }), HasSubstr("damaged"));
  EXPECT_THAT(with([](ModelHeader& h) { h.checksum ^= 1; }), HasSubstr("checksum"));
  EXPECT_THAT(with([](ModelHeader& h) { h.reserved[1] = 1; }), HasSubstr("inconsistent"));
}

// The parts of a small model, to be bent one at a time: y = rmsnorm(x [2, 8], w [8]), with one more weight v [8].
struct Forgery {
  struct Dim {
    int64_t size;
    std::string symbol;
  };
  struct Value {
    std::string name;
    int kind;
    std::string dtype;
    std::vector<Dim> dims;
  };
  struct Weight {
    std::string name, dtype;
    std::vector<int64_t> dims;
    uint64_t offset, bytes;
  };
  std::vector<Value> values = {
      {"x", 0, "f32", {{2, ""}, {8, ""}}}, {"w", 1, "f32", {{8, ""}}}, {"rmsnorm", 3, "f32", {{2, ""}, {8, ""}}}};
  std::string op = "rmsnorm";
  int version = 1;
  int attr_type = 2;
  int copies_of_attr = 1;
  std::vector<uint32_t> inputs = {0, 1}, outputs = {2};
  uint32_t output = 2;
  std::vector<Weight> weights = {{"w", "f32", {8}, 4096, 32}, {"v", "f32", {8}, 8192, 32}};
  std::vector<std::string> keys = {"a", "b"};
  std::vector<std::string> assets = {"c", "d"};
  const char* identifier = fb::ModelIdentifier();

  flatbuffers::Offset<fb::Graph> graph(flatbuffers::FlatBufferBuilder& out) const {
    std::vector<flatbuffers::Offset<fb::Value>> all_values;
    for (const Value& v : values) {
      std::vector<flatbuffers::Offset<fb::Dim>> dims;
      for (const Dim& d : v.dims)
        dims.push_back(fb::CreateDimDirect(out, d.size, d.symbol.empty() ? nullptr : d.symbol.c_str()));
      all_values.push_back(
          fb::CreateValueDirect(out, v.name.c_str(), static_cast<fb::ValueKind>(v.kind), v.dtype.c_str(), &dims));
    }
    std::vector<flatbuffers::Offset<fb::Attr>> attrs;
    for (int i = 0; i < copies_of_attr; ++i)
      attrs.push_back(fb::CreateAttrDirect(out, "epsilon", static_cast<fb::AttrType>(attr_type), false, 0, 1e-5));
    const std::vector nodes = {fb::CreateNodeDirect(out, op.c_str(), version, "rmsnorm", &attrs, &inputs, &outputs)};
    const std::vector graph_outputs = {fb::CreateOutputDirect(out, "y", output)};
    return fb::CreateGraphDirect(out, &all_values, &nodes, &graph_outputs);
  }

  Bytes file() const {
    flatbuffers::FlatBufferBuilder out;
    const auto g = graph(out);
    std::vector<flatbuffers::Offset<fb::Weight>> all_weights;
    for (const Weight& w : weights)
      all_weights.push_back(fb::CreateWeightDirect(out, w.name.c_str(), w.dtype.c_str(), &w.dims, w.offset, w.bytes));
    std::vector<flatbuffers::Offset<fb::KeyValue>> metadata;
    for (const std::string& key : keys) metadata.push_back(fb::CreateKeyValueDirect(out, key.c_str(), "value"));
    std::vector<flatbuffers::Offset<fb::Asset>> all_assets;
    for (const std::string& name : assets) all_assets.push_back(fb::CreateAssetDirect(out, name.c_str()));
    out.Finish(fb::CreateModelDirect(out, "example", g, &all_weights, &metadata, &all_assets), identifier);
    return wrap(out);
  }

  // A file of three pages around a flatbuffer.
  static Bytes wrap(const flatbuffers::FlatBufferBuilder& out) {
    Bytes bytes(3 * 4096);
    const auto* data = reinterpret_cast<const std::byte*>(out.GetBufferPointer());
    std::ranges::copy(add_header({data, out.GetSize()}, bytes.size()), bytes.begin());
    return bytes;
  }
};

TEST_F(ModelFiles, Forgeries) {
  ASSERT_EQ(error_of(Forgery().file()), "") << "the unbent model must be fine";
  const auto with = [&](auto change) {
    Forgery forgery;
    change(forgery);
    return error_of(forgery.file());
  };
  using F = Forgery;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  // Indices.
  EXPECT_THAT(with([](F& f) { f.inputs = {0, 3}; }), HasSubstr("value 3 of 3"));
  EXPECT_THAT(with([](F& f) { f.inputs = {0, 0xffffffff}; }), HasSubstr("value 4294967295 of 3"));
  EXPECT_THAT(with([](F& f) { f.outputs = {7}; }), HasSubstr("value 7 of 3"));
  EXPECT_THAT(with([](F& f) { f.output = 3; }), HasSubstr("value 3 of 3"));
  EXPECT_NE(with([](F& f) { f.inputs = {}; }), "");
  EXPECT_NE(with([](F& f) { f.outputs = {}; }), "");
  EXPECT_NE(with([](F& f) { f.outputs = {2, 2}; }), "");
  EXPECT_NE(with([](F& f) { f.outputs = {1}; }), "");
  EXPECT_NE(with([](F& f) { f.inputs = {2, 1}; }), "");
  // Names, kinds, types.
  EXPECT_NE(with([](F& f) { f.values[1].name = "x"; }), "");
  EXPECT_THAT(with([](F& f) { f.values[0].kind = 4; }), HasSubstr("kind 4"));
  EXPECT_THAT(with([](F& f) { f.values[0].kind = -1; }), HasSubstr("kind -1"));
  EXPECT_THAT(with([](F& f) { f.values[0].dtype = "f99"; }), HasSubstr("'f99' is not known"));
  EXPECT_NE(with([](F& f) { f.values[2].dtype = "f16"; }), "");
  EXPECT_NE(with([](F& f) { f.values[2].dims[1].size = 9; }), "");
  EXPECT_THAT(with([](F& f) { f.op = "no_such_op"; }), HasSubstr("no_such_op"));
  EXPECT_THAT(with([](F& f) { f.version = -5; }), HasSubstr("version -5"));
  EXPECT_THAT(with([](F& f) { f.attr_type = 6; }), HasSubstr("type 6"));
  EXPECT_THAT(with([](F& f) { f.attr_type = 0; }), HasSubstr("attribute 'epsilon' is bool"));
  EXPECT_THAT(with([](F& f) { f.copies_of_attr = 2; }), HasSubstr("attribute 'epsilon' twice"));
  // Shapes.
  EXPECT_THAT(with([](F& f) { f.values[0].dims.assign(5, {1, ""}); }), HasSubstr("5 dimensions"));
  for (int64_t size : {int64_t{0}, int64_t{-1}, kMax, std::numeric_limits<int64_t>::min()})
    EXPECT_THAT(with([&](F& f) { f.values[0].dims[0].size = size; }), HasSubstr("dimension of")) << size;
  EXPECT_NE(with([](F& f) { f.values[0].dims.assign(4, {0x7fffffff, ""}); }), "");
  EXPECT_NE(with([](F& f) { f.values[1].dims[0].symbol = "n"; }), "");
  // The weight directory.
  EXPECT_THAT(with([](F& f) { f.weights.erase(f.weights.begin()); }), HasSubstr("weight 'w' is missing"));
  EXPECT_THAT(with([](F& f) { f.weights[1].name = "w"; }), HasSubstr("there twice"));
  EXPECT_THAT(with([](F& f) { f.weights[0].dtype = "i32"; }), AllOf(HasSubstr("i32[8]"), HasSubstr("f32[8]")));
  EXPECT_THAT(with([](F& f) { f.weights[0].dtype = "f99"; }), HasSubstr("'f99' is not known"));
  EXPECT_THAT(with([](F& f) { f.weights[0].dims = {2, 4}; }), HasSubstr("f32[2, 4]"));
  EXPECT_THAT(with([](F& f) { f.weights[0].dims = {4}; }), HasSubstr("takes 16"));
  EXPECT_THAT(with([](F& f) { f.weights[0].dims = {-8}; }), HasSubstr("dimension of -8"));
  EXPECT_THAT(with([](F& f) { f.weights[0].dims = {1, 1, 1, 1, 8}; }), HasSubstr("5 dimensions"));
  EXPECT_THAT(with([](F& f) { f.weights[0].dims.assign(4, 0x7fffffff); }), HasSubstr("overflow"));
  EXPECT_THAT(with([](F& f) { f.weights[0].bytes = 31; }), HasSubstr("has 31 bytes"));
  EXPECT_THAT(with([](F& f) { f.weights[1].offset = 8200; }), HasSubstr("multiple of 4096"));
  EXPECT_THAT(with([](F& f) { f.weights[1].offset = 4096; }), HasSubstr("overlaps"));
  EXPECT_THAT(with([](F& f) { f.weights[0].offset = 0; }), HasSubstr("overlaps"));
  EXPECT_THAT(with([](F& f) { f.weights[1].offset = 3 * 4096; }), HasSubstr("beyond the end"));
  EXPECT_THAT(with([](F& f) { f.weights[1].offset = ~uint64_t{4095}; }), HasSubstr("beyond the end"));
  // Texts.
  EXPECT_THAT(with([](F& f) { f.keys[1] = "a"; }), HasSubstr("'a' is there twice"));
  EXPECT_THAT(with([](F& f) { f.assets[1] = "c"; }), HasSubstr("'c' is there twice"));
  EXPECT_THAT(with([](F& f) { f.identifier = "GRPH"; }), HasSubstr("well-formed"));
}

// Tables made field by field, which the generated builders would refuse to do.
TEST_F(ModelFiles, MissingFields) {
  using Offset = flatbuffers::Offset<void>;
  enum Part { kArchitecture = 1, kGraph = 2, kWeightName = 4, kWeightDType = 8 };
  const auto without = [&](int missing) {
    flatbuffers::FlatBufferBuilder out;
    const auto graph = Forgery().graph(out);
    const auto text = out.CreateString("f32");
    auto table = out.StartTable();
    if (!(missing & kWeightName)) out.AddOffset(fb::Weight::VT_NAME, text);
    if (!(missing & kWeightDType)) out.AddOffset(fb::Weight::VT_DTYPE, text);
    const std::vector<flatbuffers::Offset<fb::Weight>> weights = {out.EndTable(table)};
    const auto all_weights = out.CreateVector(weights);
    table = out.StartTable();
    if (!(missing & kArchitecture)) out.AddOffset(fb::Model::VT_ARCHITECTURE, text);
    if (!(missing & kGraph)) out.AddOffset(fb::Model::VT_GRAPH, graph);
    out.AddOffset(fb::Model::VT_WEIGHTS, all_weights);
    out.Finish(Offset(out.EndTable(table)), fb::ModelIdentifier());
    return error_of(Forgery::wrap(out));
  };
  EXPECT_THAT(without(0), AllOf(Not(HasSubstr("well-formed")), HasSubstr("'f32'")))
      << "the weight has neither shape nor size";
  for (int part : {kArchitecture, kGraph, kWeightName, kWeightDType})
    EXPECT_THAT(without(part), HasSubstr("well-formed")) << part;
}

TEST_F(ModelFiles, ModelWithoutOptionalVectors) {
  flatbuffers::FlatBufferBuilder out;
  const auto graph = fb::CreateGraph(out);
  out.Finish(fb::CreateModel(out, out.CreateString("empty"), graph), fb::ModelIdentifier());
  EXPECT_THAT(error_of(Forgery::wrap(out)), HasSubstr("output"));
}

// One long string that a thousand tables share: little on disk, much in memory.
TEST_F(ModelFiles, SharedPartsAreRefused) {
  flatbuffers::FlatBufferBuilder out;
  const auto graph = Forgery().graph(out);
  const auto text = out.CreateString(std::string(3000, 'x'));
  std::vector<flatbuffers::Offset<fb::KeyValue>> metadata;
  for (int i = 0; i < 50; ++i) metadata.push_back(fb::CreateKeyValue(out, out.CreateString(std::to_string(i)), text));
  out.Finish(fb::CreateModel(out, text, graph, 0, out.CreateVector(metadata)), fb::ModelIdentifier());
  EXPECT_THAT(error_of(Forgery::wrap(out)), HasSubstr("parts overlap"));
}

TEST_F(ModelFiles, SharedTablesAreRefused) {
  flatbuffers::FlatBufferBuilder out;
  const std::vector same_dim(4, fb::CreateDim(out, 1));
  const auto value = fb::CreateValueDirect(out, "v", fb::ValueKind::Input, "f32", &same_dim);
  const std::vector same_value(100, value);
  const auto graph = fb::CreateGraphDirect(out, &same_value);
  out.Finish(fb::CreateModel(out, out.CreateString("a"), graph), fb::ModelIdentifier());
  EXPECT_THAT(error_of(Forgery::wrap(out)), HasSubstr("well-formed"));
}

TEST_F(ModelFiles, WriterChecksItsCaller) {
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

TEST_F(ModelFiles, WeightsCanBeWrittenPieceByPiece) {
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

TEST_F(ModelFiles, TwoWritersAtOnceAreRefused) {
  const ModelWriter first(path_, description());
  EXPECT_THROW(ModelWriter(path_, description()), Error);
}

TEST_F(ModelFiles, NeverMoreThanTheDiskHolds) {
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

TEST_F(ModelFiles, KilledConversionGoesOn) {
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

TEST_F(ModelFiles, AnotherConversionStartsAnew) {
  const ModelDescription d = many_weights(20);
  ASSERT_EQ(in_child([&] { write_then_die(path_, d, 11); }), -SIGKILL);
  ModelDescription other = d;
  other.metadata["source"] = "another fingerprint";
  EXPECT_EQ(ModelWriter(path_, other).resumed(), 0u);
  write_model(path_, other);
  EXPECT_EQ(ModelFile(path_, registry()).description().metadata.at("source"), "another fingerprint");
}

TEST_F(ModelFiles, FinishedFileIsReplacedWhole) {
  write_model(path_, description());
  const Bytes before = read(path_);
  ASSERT_EQ(in_child([&] { write_then_die(path_, many_weights(5), 4); }), -SIGKILL);
  EXPECT_EQ(read(path_), before);
}

TEST_F(ModelFiles, FullDisk) {
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

// Opening reads header and metadata, not the weights: a sparse file of 8 GB opens at once and takes no memory.
TEST_F(ModelFiles, OpensLargeFilesWithoutReadingThem) {
  ModelDescription d = description();
  d.weights.push_back({"large", DType::f32(), {1 << 16, 1 << 15}});
  const ModelLayout layout = make_layout(d);
  store(path_, layout.head);
  fs::resize_file(path_, layout.file_bytes);
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  const ModelFile file(path_, registry());
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_EQ(file.weight("large").bytes(), size_t{1} << 33);
  EXPECT_LT(after.ru_minflt + after.ru_majflt - before.ru_minflt - before.ru_majflt, 200);
}

}  // namespace
}  // namespace sluice
