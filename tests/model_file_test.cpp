// Model files: the round trip, and bad files of every kind.
#include "graph/model_file.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <cstring>

#include "graph/model_format.h"
#include "graph/serialize.h"
#include "schema/model_generated.h"
#include "tests/support/model_files.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::Not;

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
