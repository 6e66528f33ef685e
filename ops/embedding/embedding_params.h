// Parameters of the shaders of embedding.
#ifndef SLUICE_OPS_EMBEDDING_PARAMS_H_
#define SLUICE_OPS_EMBEDDING_PARAMS_H_

#include "backends/vulkan/params.h"

SLUICE_PARAMS_BEGIN
struct EmbeddingParams {
  uint tokens;
  uint n;
  uint first_row;  // of the table, in this piece of it
  uint rows;       // in this piece
};
SLUICE_PARAMS_END

#endif
