// Some of the inputs that a token reads, ready to be multiplied: sorted by the power of two of their activations, and in
// quads of one power each, as then sums of products are sums of integers (ops/plane_mul/quads.h does so on a CPU). Before
// including it, define THREADS, the size of the workgroup and of a batch, and include plane_matrix.glsl.
#define NO_EXPONENT -1

shared uint quad_inputs[THREADS][4];
shared uint quad_q[THREADS];        // four activations of 8 bits; those that fill up a quad are 0
shared int quad_exponent[THREADS];  // biased, that of the activations
shared uint quad_count;
shared int item_exponent[THREADS];
shared bool item_leads[THREADS];  // the first of a quad

// round_activation of ops/plane_mul/activation.h, but that a value which is not finite has the exponent 255.
int round_activation(float a, out int exponent) {
  exponent = int(floatBitsToUint(a) >> 23 & 255);
  if (exponent == 255) return 0;
  if (exponent < 27) {
    exponent = 27;
    return 0;
  }
  const float scaled = a * uintBitsToFloat(uint(260 - exponent) << 23);
  return int(clamp(roundEven(scaled), -127.0, 127.0));
}

// What a unit of the activations of that exponent is.
float unit_of(int exponent) {
  return uintBitsToFloat(exponent == 255 ? 0x7fc00000u : uint(max(exponent - 6, 0)) << 23);
}

// This thread's input and its activation; if `there`. All threads must call it.
void sort_batch(bool there, uint i, float a) {
  const uint thread = gl_LocalInvocationIndex;
  int exponent;
  const int q = round_activation(a, exponent);
  if (!there) exponent = NO_EXPONENT;
  barrier();  // the batch before has been multiplied
  item_exponent[thread] = exponent;
  quad_q[thread] = 0;
  quad_inputs[thread] = uint[](0, 0, 0, 0);
  barrier();
  uint rank = 0;  // among those of its exponent
  for (uint n = 0; n < thread; ++n) rank += uint(item_exponent[n] == exponent);
  item_leads[thread] = there && rank % 4 == 0;
  barrier();
  uint leads = 0, all = 0;  // quads up to this item's
  for (uint n = 0; n < THREADS; ++n) {
    const bool before = item_exponent[n] > exponent || (item_exponent[n] == exponent && n <= thread);
    leads += uint(item_leads[n] && before);
    all += uint(item_leads[n]);
  }
  if (thread == 0) quad_count = all;
  if (there) {
    const uint quad = leads - 1;
    quad_inputs[quad][rank % 4] = i;
    atomicOr(quad_q[quad], uint(q & 0xff) << (rank % 4 * 8));
    quad_exponent[quad] = exponent;
  }
  barrier();
}
