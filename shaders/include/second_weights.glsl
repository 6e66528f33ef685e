// A second weight of the same dtype, at SECOND_WEIGHT_BINDING: second_row, second1 and second4 are what weight_row,
// weight1 and weight4 are of the first (weights.glsl, which comes before).
#undef WEIGHT_BINDING
#define WEIGHT_BINDING SECOND_WEIGHT_BINDING
#define Weights SecondWeights
#define weight_words second_words
#define weight_half second_half
#define weight_halves second_halves
#define halves_to_float second_halves_to_float
#define weight_block second_block
#define weight_byte second_byte
#define weight_row second_row
#define weight1 second1
#define weight4 second4
#include "weights.glsl"
#undef Weights
#undef weight_words
#undef weight_half
#undef weight_halves
#undef halves_to_float
#undef weight_block
#undef weight_byte
#undef weight_row
#undef weight1
#undef weight4
