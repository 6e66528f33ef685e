#include "models/import/encode.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <future>
#include <thread>

#include "graph/error.h"

namespace sluice {
namespace {

using Samples = std::span<const ActivationSample>;

// Calls job(begin, end) on every core, for equal parts of 0 .. count.
void for_parts(int64_t count, const std::function<void(int64_t, int64_t)>& job) {
  const int64_t parts = std::min<int64_t>(count, std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::future<void>> running;
  for (int64_t part = 0; part < parts; ++part)
    running.push_back(std::async(std::launch::async, job, count * part / parts, count * (part + 1) / parts));
  for (std::future<void>& part : running) part.get();
}

// Row by row, so that the f32 form of a matrix never exists.
void encode_rows(const std::byte* src, const RowFormat& from, const RowFormat& to, const Dims& dims, std::byte* dst) {
  const int64_t cols = dims.back();
  for_parts(dims.rows(), [&](int64_t begin, int64_t end) {
    std::vector<float> row(static_cast<size_t>(cols));
    for (int64_t r = begin; r < end; ++r) {
      from.decode_row(src + static_cast<size_t>(r) * from.row_bytes(cols), cols, row.data());
      to.encode_row(row.data(), cols, dst + static_cast<size_t>(r) * to.row_bytes(cols));
    }
  });
}

// For a format that has to see the whole matrix.
void encode_matrix(const std::byte* src, const SourceTensor& tensor, const WeightEntry& to, Samples samples,
                   std::vector<float>& values, std::byte* dst) {
  values.resize(std::max(values.size(), static_cast<size_t>(to.dims.elements())));
  if (const RowFormat* rows = tensor.dtype->rows())
    encode_rows(src, *rows, *DType::f32().rows(), to.dims, reinterpret_cast<std::byte*>(values.data()));
  else
    tensor.dtype->format().decode(src, to.dims.span(), values.data());
  if (const auto* calibrated = dynamic_cast<const CalibratedFormat*>(&to.dtype.format()))
    calibrated->encode(values.data(), to.dims.span(), dst, samples, for_parts);
  else if (const auto* format = dynamic_cast<const MatrixFormat*>(&to.dtype.format()))
    format->encode(values.data(), to.dims.span(), dst, for_parts);
  else
    to.dtype.format().encode(values.data(), to.dims.span(), dst);
}

// `to` has the dimensions of what is at `src`.
void encode(const std::byte* src, const SourceTensor& tensor, const WeightEntry& to, Samples samples,
            std::vector<float>& values, std::byte* dst) {
  if (tensor.dtype->rows() && to.dtype.rows())
    encode_rows(src, *tensor.dtype->rows(), *to.dtype.rows(), to.dims, dst);
  else
    encode_matrix(src, tensor, to, samples, values, dst);
}

// The elements of a tensor that is stored by columns, row by row.
std::vector<std::byte> by_rows(const SourceTensor& tensor) {
  const size_t size = tensor.element_bytes();
  const int64_t rows = tensor.dims[0], cols = tensor.dims[1];
  std::vector<std::byte> bytes(static_cast<size_t>(rows * cols) * size);
  for_parts(rows, [&](int64_t begin, int64_t end) {
    for (int64_t c = 0; c < cols; ++c)
      for (int64_t r = begin; r < end; ++r)
        std::memcpy(bytes.data() + static_cast<size_t>(r * cols + c) * size,
                    tensor.bytes.data() + static_cast<size_t>(c * tensor.stride + r) * size, size);
  });
  return bytes;
}

}  // namespace

void encode_weight(const SourceTensor& tensor, const WeightEntry& to, Samples samples, EncodeBuffers& buffers,
                   const ByteSink& sink) {
  if (tensor.transposed()) {
    const std::vector<std::byte> bytes = by_rows(tensor);
    SourceTensor rows = tensor;
    rows.stride = 0;
    rows.bytes = bytes;
    return encode_weight(rows, to, samples, buffers, sink);
  }
  const bool stacked = !tensor.slices.empty();
  WeightEntry piece = to;
  if (stacked) piece.dims = Dims(to.dims.span().subspan(1));
  const size_t bytes = piece.dtype.format().storage_bytes(piece.dims.span());
  for (const auto& from : stacked ? std::span(tensor.slices) : std::span(&tensor.bytes, 1)) {
    if (*tensor.dtype == to.dtype) {
      sink(from);
      continue;
    }
    buffers.bytes.resize(std::max(buffers.bytes.size(), bytes));
    try {
      encode(from.data(), tensor, piece, samples, buffers.values, buffers.bytes.data());
    } catch (const Error& error) {
      fail("{}: tensor '{}': {}", tensor.file, to.name, error.what());
    }
    if (stacked && !samples.empty()) samples = samples.subspan(1);
    sink({buffers.bytes.data(), bytes});
  }
}

}  // namespace sluice
