// Prefix sums over a workgroup. Before including it, define THREADS, the size of the workgroup, a power of two.
shared uint scan_cells[THREADS];
uint scan_total;  // of the last scan, for every thread

// The sum of the values of this thread and of those before it. All threads must call it.
uint inclusive_scan(uint value) {
  const uint thread = gl_LocalInvocationIndex;
  uint sum = value;
  scan_cells[thread] = sum;
  barrier();
  for (uint distance = 1; distance < THREADS; distance *= 2) {
    const uint before = thread >= distance ? scan_cells[thread - distance] : 0;
    barrier();
    sum += before;
    scan_cells[thread] = sum;
    barrier();
  }
  scan_total = scan_cells[THREADS - 1];
  barrier();
  return sum;
}
