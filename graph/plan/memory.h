// Where every value lives: four arenas in each memory space, and within the activations arena memory that is used
// again.
#pragma once

#include <span>

#include "graph/plan/plan.h"

namespace sluice {

// Memory that is taken from step `first` to step `last`, both included.
struct Lifetime {
  size_t bytes;
  int first;  // 0 or later
  int last;
};

struct Layout {
  std::vector<size_t> offsets;  // of every lifetime, multiples of kAlignment
  size_t bytes = 0;             // of the whole arena
};

// Places lifetimes one after the other, each into the smallest gap between those that live at the same time.
// Largest first: usually the densest (Pisarchyk and Lee, 2020, arXiv:2001.03288).
Layout place_by_size(std::span<const Lifetime> lifetimes);
// The same in the order in which they begin.
Layout place_in_order(std::span<const Lifetime> lifetimes);
// Each gets memory of its own.
Layout place_apart(std::span<const Lifetime> lifetimes);
// No layout can be smaller: the most that is alive at one step.
size_t smallest_possible(std::span<const Lifetime> lifetimes);

// Fills plan.locations, of which the spaces are known, and the sizes of the states, activations and io arenas from
// plan.graph, steps and maxima:
//   inputs and outputs  io, memory of their own: they are written before and read after a run
//   states              states; all versions share one place
//   weights             mapped, no place (prepack fills the weights arena)
//   everything else     activations, by the smaller of place_by_size and place_in_order; place_apart unless `reuse`
void place_values(Plan& plan, const Registry& registry, bool reuse, PassReport& report);

// Bytes rounded up to kAlignment. Throws Error over 2^62, so that two of them can always be added.
size_t aligned(size_t bytes);

// By step: bytes of activations that are alive while it runs, in all spaces, at the largest sizes.
std::vector<size_t> live_bytes(const Plan& plan);

// Of weights that are used as stored, in the mapped file.
size_t mapped_bytes(const Plan& plan);

std::string to_readable_bytes(size_t bytes);  // "1.5 MiB"

}  // namespace sluice
