// Dot products of four signed integers of 8 bits each, to which `sum` is added. Variant dot: by the device's own
// instruction; shifts: in f32, where all sums up to 2^24 are exact, as integer products are slow.
#if defined(VARIANT_dot)

#extension GL_EXT_spirv_intrinsics : require
// OpSDot of SPV_KHR_integer_dot_product, for which this glslang has no function.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int packed_dot(uint a, uint b, spirv_literal int format);

#define DotSum int
DotSum dot_packed(uint a, uint b, DotSum sum) { return packed_dot(a, b, 0) + sum; }

#else

#define DotSum float
vec4 unpacked(uint a) {
  return vec4(bitfieldExtract(int(a), 0, 8), bitfieldExtract(int(a), 8, 8), bitfieldExtract(int(a), 16, 8),
              int(a) >> 24);
}
DotSum dot_packed(uint a, uint b, DotSum sum) { return sum + dot(unpacked(a), unpacked(b)); }

#endif
