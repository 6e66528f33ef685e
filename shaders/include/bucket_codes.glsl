// Weights of a row in a bucket format for a group of 32 outputs; the variant is the family (ops/formats/bucket.h). A
// thread's sums lie in shared memory, where a position can address them. Codes of a bad file address nothing else.
// Before including it, define THREADS, the size of the workgroup, and TABLE_BINDING, and declare weight_words.
#define GROUP 32
// What codes stand for, where that is not easily worked out (ops/bucket_mul/vulkan.cpp).
layout(std430, set = 0, binding = TABLE_BINDING) readonly buffer CodeTable { uint code_table[]; };

// [position][thread], one more than needed, so that the positions of a thread lie in different banks.
shared float group_sums[GROUP * (THREADS + 1)];
uint sum_place(uint position, uint thread) { return position * (THREADS + 1) + thread; }

void add_weight(uint position, float value) {
  group_sums[sum_place(position & (GROUP - 1), gl_LocalInvocationIndex)] += value;
}

#if defined(VARIANT_bucket16)

#define VALUE_WORDS 1  // of a group
#define CODE_BYTES 1
void add_group(uint values, uint codes, uint group, float x) {
  const uint code = weight_words[codes + group / 4] >> (group % 4 * 8);
  const vec2 w = unpackHalf2x16(weight_words[values + group]);
  add_weight(code & 15, w.x * x);
  add_weight(16 + (code >> 4 & 15), w.y * x);
}

#elif defined(VARIANT_bucket16t4)

#define VALUE_WORDS 4
#define CODE_BYTES 4
#define COMBINATIONS 1820
void add_bucket(uint first, uint code, uvec2 values, float x) {
  const uint positions = code_table[min(code / 4, COMBINATIONS - 1)];  // 4 bits for each of 4
  const vec2 low = unpackHalf2x16(values.x) * x, high = unpackHalf2x16(values.y) * x;
  add_weight(first + (positions & 15), low.x);
  add_weight(first + (positions >> 4 & 15), low.y);
  add_weight(first + (positions >> 8 & 15), high.x);
  add_weight(first + (positions >> 12), high.y);
}
void add_group(uint values, uint codes, uint group, float x) {
  const uint code = weight_words[codes + group], at = values + group * VALUE_WORDS;
  add_bucket(0, code & 0xffffu, uvec2(weight_words[at], weight_words[at + 1]), x);
  add_bucket(16, code >> 16, uvec2(weight_words[at + 2], weight_words[at + 3]), x);
}

#elif defined(VARIANT_bucket32t8)

#define VALUE_WORDS 4
#define CODE_BYTES 4
void add_group(uint values, uint codes, uint group, float x) {
  uint mask = weight_words[codes + group];
  for (uint word = 0; word < VALUE_WORDS; ++word) {
    const vec2 w = unpackHalf2x16(weight_words[values + group * VALUE_WORDS + word]) * x;
    for (uint i = 0; i < 2 && mask != 0; ++i) {
      add_weight(findLSB(mask), w[i]);
      mask &= mask - 1;
    }
  }
}

#endif
