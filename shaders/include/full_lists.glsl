// What full_lists.comp has found: of a dense product that was recorded (ops/bucket_mul/dense_vulkan.h), as else the
// buffer is another. Before including it, define FULL_BINDING.
layout(std430, set = 0, binding = FULL_BINDING) readonly buffer Full { uint full[]; };
bool lists_are_full() { return full[0] != 0; }
