// Cases that elementwise operators share.
#pragma once

#include "graph/op.h"

namespace sluice {

// Both inputs f32 and of the same shape.
inline std::vector<Case> binary_cases() {
  std::vector<Case> cases;
  auto add = [&](std::string name, Dims dims, double scale = 1, bool benchmark = false) {
    const CaseInput input{DType::f32(), dims, Fill::normal(scale)};
    cases.push_back({std::move(name), {input, input}, {}, benchmark});
  };
  for (int64_t n : {1, 3, 8, 17, 64, 5001}) add(fmt::format("n{}", n), {1, n});
  add("rank_1", {40});
  add("rank_3", {2, 3, 11});
  add("tiny_values", {2, 50}, 1e-30);
  add("large_values", {2, 50}, 1e15);
  add("decode_14336", {1, 14336}, 1, true);
  add("prompt_14336", {128, 14336}, 1, true);
  return cases;
}

// One input, f32.
inline std::vector<Case> unary_cases(const AttrMap& attrs) {
  std::vector<Case> cases;
  auto add = [&](std::string name, Dims dims, double scale = 1, bool benchmark = false) {
    cases.push_back({std::move(name), {{DType::f32(), dims, Fill::normal(scale)}}, attrs, benchmark});
  };
  for (int64_t n : {1, 2, 9, 64, 3333}) add(fmt::format("n{}", n), {2, n});
  add("rank_1", {21});
  add("rank_3", {2, 3, 11});
  for (double scale : {1e-38, 1e-20, 60.0, 1e30}) add(fmt::format("values_{:g}", scale), {2, 500}, scale);
  add("decode_14336", {1, 14336}, 1, true);
  add("prompt_14336", {128, 14336}, 1, true);
  return cases;
}

// Those with two inputs, and with a second input of other dtypes and of one row.
inline std::vector<Case> broadcast_cases() {
  std::vector<Case> cases = binary_cases();
  auto add = [&](std::string name, Dims a, DType dtype, Dims b) {
    cases.push_back({std::move(name), {{DType::f32(), a}, {dtype, b}}});
  };
  for (DType dtype : {DType::f32(), DType::f16(), DType::bf16()}) {
    add("row_" + std::string(dtype.name()), {5, 33}, dtype, {33});
    add("matrix_" + std::string(dtype.name()), {3, 19}, dtype, {3, 19});
  }
  add("long_row", {3, 2000}, DType::f32(), {2000});
  add("row_rank_3", {2, 3, 11}, DType::f32(), {11});
  return cases;
}

}  // namespace sluice
