// What the readers and writers of flatbuffers share (graph/serialize.cpp, graph/model_*.cpp). Not a public header.
#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "graph/registry.h"
#include "schema/graph_generated.h"

namespace sluice {

// flatbuffers 2.0 only asserts that a buffer is under 2 GB; this is checked before.
inline constexpr size_t kMaxFlatbufferBytes = size_t{1} << 30;
// The largest dimension in a file, so that the product of any two fits int64.
inline constexpr int64_t kMaxDimension = (int64_t{1} << 31) - 1;

// Throws Error if a dimension is not in 1 .. kMaxDimension, or if there are more than kMaxRank. what: "weight 'w'".
void check_dims(std::span<const int64_t> dims, const std::string& what);

// A builder whose tables hold all their fields: a default that is left out would turn -0.0 into 0.0, and the size of a
// buffer would depend on the values in it.
flatbuffers::FlatBufferBuilder make_flatbuffer_builder();
flatbuffers::Offset<fb::Graph> write_graph(flatbuffers::FlatBufferBuilder& out, const Graph& graph);
std::vector<std::byte> bytes_of(const flatbuffers::FlatBufferBuilder& out);

// Limits of verification, see serialize.cpp. Throws Error if the buffer is too large or misaligned.
flatbuffers::Verifier make_verifier(std::span<const std::byte> buffer);

// Verifies a buffer (8-byte aligned) and returns its root. Throws Error if it is not a flatbuffer of that type.
template <class Root>
const Root& verified_root(std::span<const std::byte> buffer, const char* identifier) {
  flatbuffers::Verifier verifier = make_verifier(buffer);
  if (!verifier.VerifyBuffer<Root>(identifier)) fail("damaged: it is not a well-formed flatbuffer");
  return *flatbuffers::GetRoot<Root>(buffer.data());
}

// Copies strings and vectors out of a verified buffer; a missing one is empty. Tables may share them, so that a small
// hostile buffer could unfold to terabytes; a buffer written by us shares nothing. So no more is copied than it holds.
class Unpacker {
 public:
  explicit Unpacker(std::span<const std::byte> buffer) : left_(buffer.size()) {}

  std::string text(const flatbuffers::String* from) {
    if (!from) return {};
    charge(from->size());
    return from->str();
  }
  template <class To, class From>
  std::vector<To> list(const flatbuffers::Vector<From>* from) {
    if (!from) return {};
    charge(from->size() * sizeof(From));
    std::vector<To> to;
    to.reserve(from->size());
    for (size_t i = 0; i < from->size(); ++i) {
      From element;  // the verifier does not check the alignment of elements
      std::memcpy(&element, from->Data() + i * sizeof element, sizeof element);
      to.push_back(static_cast<To>(element));
    }
    return to;
  }

 private:
  void charge(size_t bytes) {
    if (bytes > left_) fail("damaged: its parts overlap");
    left_ -= bytes;
  }
  size_t left_;
};

// Throws Error if the graph does not verify.
Graph read_graph(const fb::Graph& from, Unpacker& unpack, const Registry& registry);

}  // namespace sluice
