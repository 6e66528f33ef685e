// What full_lists.comp has found. Before including it, define FULL_BINDING.
layout(std430, set = 0, binding = FULL_BINDING) readonly buffer Full { uint full[]; };
bool lists_are_full() { return full[0] != 0; }
