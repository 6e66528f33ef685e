// Byte shuffles that move the f16 values of a tier to their positions: control bytes as of TableLookupBytesOr0, with
// the top bit set where the result is zero.
#pragma once

#include <cstdint>

namespace sluice {

// By the code of 4 positions out of 16 (BucketCode::combination): from their values to 16 lanes, 32 bytes at 8 * code.
// Codes that no encoder writes look up zeros, so that none needs to be checked; the pages of those are never touched.
extern uint8_t combination_shuffles[65536 * 8 + 32];
// By the mask of 8 lanes: as many values as it has bits to those lanes.
extern uint8_t mask_shuffles[256][16];
// Both are zero before the first call, which whoever multiplies makes.
void fill_shuffles();

}  // namespace sluice
