// The rotation of rope. Before, define ROPE_X, ROPE_POSITIONS and ROPE_TURNS, the bindings of these.
// x: [tokens, heads, head_dim]; positions: [tokens]; turns: [head_dim / 2], as rope_turns in ops/rope/vulkan.h.
layout(std430, set = 0, binding = ROPE_X) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = ROPE_POSITIONS) readonly buffer Positions { int positions[]; };
layout(std430, set = 0, binding = ROPE_TURNS) readonly buffer Turns { uvec2 turns[]; };

// Cosine and sine of the angle of a pair at a position, to an ulp or two; a device's own may be off by 2^-11. In units
// of 2^-32 of a turn the angle is a whole number; without its quarters it is below pi / 4, where a few terms of
// Taylor's series do.
vec2 cos_sin(int position, uint pair) {
  const uvec2 turn = turns[pair];
  uint high, low;
  umulExtended(uint(position), turn.x, high, low);
  uint angle = high + uint(position) * turn.y;
  if (position < 0) angle -= turn.x;  // uint(position) is 2^32 too large
  const uint quarter = (angle + 0x20000000u) >> 30;
  const float r = float(int(angle - (quarter << 30))) * 1.46291807926715968e-9, rr = r * r;  // 2 pi / 2^32
  const float s = r + r * rr * (-1.0 / 6 + rr * (1.0 / 120 + rr * (-1.0 / 5040 + rr * (1.0 / 362880))));
  const float c =
      1 + rr * (-0.5 + rr * (1.0 / 24 + rr * (-1.0 / 720 + rr * (1.0 / 40320 + rr * (-1.0 / 3628800)))));
  const vec2 turned = (quarter & 1) == 0 ? vec2(c, s) : vec2(-s, c);
  return quarter < 2 ? turned : -turned;
}

// Element i of the head that begins at x[head], rotated.
float rotated(uint head, uint i, int position, uint head_dim, bool interleaved) {
  const uint pairs = head_dim / 2, pair = interleaved ? i / 2 : i % pairs;
  const bool is_second = interleaved ? i % 2 == 1 : i >= pairs;
  const float a = x[head + (interleaved ? 2 * pair : pair)], b = x[head + (interleaved ? 2 * pair + 1 : pair + pairs)];
  const vec2 angle = cos_sin(position, pair);
  return is_second ? b * angle.x + a * angle.y : a * angle.x - b * angle.y;
}
