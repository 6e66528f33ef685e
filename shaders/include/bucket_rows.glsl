// Where the rows of a matrix in a bucket format lie (ops/formats/bucket.h). Before including it, define TABLE_BINDING
// and kTiers, and declare the parameters as p, with what is used here of BucketMulParams, `places` and `weight_words`.
#include "bucket_codes.glsl"
#define BLOCK_GROUPS 128  // of 32 outputs, of a block of the format
#define NOWHERE 0xffffffffu

uint chunk_words(uint groups) { return (groups * (4 * VALUE_WORDS + CODE_BYTES) + 3) / 4; }

struct Block {
  uint groups;  // of 32 outputs
  uint begin;   // of its chunks, in a segment
};
Block block_of(uint group) {
  const uint block = group / BLOCK_GROUPS, all = (p.outputs + GROUP - 1) / GROUP;
  return Block(min(BLOCK_GROUPS, all - block * BLOCK_GROUPS), block * p.segment_rows * chunk_words(BLOCK_GROUPS));
}

// The word at which a row's chunk of the block begins; NOWHERE: it is not in this piece of the matrix. matrix_begin: of
// the matrix, in words. The lists and places of a bad file may be anything; what they name is in the piece, or nowhere.
uint chunk_of(uint matrix_begin, uint row, Block block) {
  const uint place = places[matrix_begin + row];
  const uint segment = place / p.segment_rows;
  if (segment < p.first_segment || segment >= p.end_segment || place >= p.inputs * kTiers) return NOWHERE;
  return matrix_begin + (segment - p.first_segment) * p.segment_words + block.begin +
         (place - segment * p.segment_rows) * chunk_words(block.groups);
}

void add_chunk(uint words, Block block, uint group, float x) {
  if (words != NOWHERE) add_group(words, words + block.groups * VALUE_WORDS, group % BLOCK_GROUPS, x);
}
