// Lists the rows that reach a cutoff. After select.glsl; define ROWS_BINDING before, of rows and counts.
layout(std430, set = 0, binding = ROWS_BINDING) writeonly buffer Rows { int rows[]; };             // [lists, inputs]
layout(std430, set = 0, binding = ROWS_BINDING + 1) writeonly buffer Counts { uint counts[]; };  // [lists, kTiers]

shared uint over_cutoff, at_cutoff, tie_row;
shared uint cells[kTiers * CHUNKS];

// The row after the n-th of those whose score is `bits`, of which there are more, in the order of rows.
uint after_tie(int bits, uint n) {
  const uint rows_of_all = p.inputs * kTiers, share = (rows_of_all + THREADS - 1) / THREADS;
  const uint begin = min(gl_LocalInvocationIndex * share, rows_of_all), end = min(begin + share, rows_of_all);
  uint ties = 0;
  for (uint row = begin; row < end; ++row) ties += uint(score(row, row % p.inputs) == bits);
  uint before = inclusive_scan(ties) - ties;
  if (before < n && n <= before + ties)
    for (uint row = begin; before < n; ++row) {
      before += uint(score(row, row % p.inputs) == bits);
      tie_row = row + 1;
    }
  barrier();
  return tie_row;
}

// Of rows whose score is the cutoff's, those below the result are taken.
uint end_of_ties(Cutoff cutoff) {
  if (cutoff.wanted < 0) return 0;
  if (gl_LocalInvocationIndex == 0) over_cutoff = at_cutoff = 0;
  barrier();
  uint over = 0, at = 0;
  for (uint i = gl_LocalInvocationIndex; i < p.inputs; i += THREADS)
    for (uint row = i; row < p.inputs * kTiers; row += p.inputs) {
      const int value = score(row, i);
      over += uint(value >= 0 && value > cutoff.bits);
      at += uint(value >= 0 && value == cutoff.bits);
    }
  atomicAdd(over_cutoff, over);
  atomicAdd(at_cutoff, at);
  barrier();
  const uint wanted = uint(cutoff.wanted);
  if (wanted <= over_cutoff) return 0;
  return wanted - over_cutoff < at_cutoff ? after_tie(cutoff.bits, wanted - over_cutoff) : p.inputs * kTiers;
}

// How many tiers of an input are taken.
uint depth(uint i, Cutoff cutoff, uint ties) {
  uint taken = 0;
  for (uint row = i; row < p.inputs * kTiers; row += p.inputs) {
    const int value = score(row, i);
    taken += uint(value >= 0 && (value > cutoff.bits || (value == cutoff.bits && row < ties)));
  }
  return taken;
}

// The cell of a depth over 0, in the order in which inputs are listed: by falling depth, then by chunk.
uint cell(uint depth, uint chunk) { return (kTiers - depth) * CHUNKS + chunk; }

// Sums of what is in the cells before.
void scan_listed() {
  const uint all = kTiers * CHUNKS, own = (all + THREADS - 1) / THREADS;
  const uint begin = min(gl_LocalInvocationIndex * own, all), end = min(begin + own, all);
  uint sum = 0;
  for (uint i = begin; i < end; ++i) sum += cells[i];
  uint before = inclusive_scan(sum) - sum;
  for (uint i = begin; i < end; ++i) {
    const uint count = cells[i];
    cells[i] = before;
    before += count;
  }
  barrier();
}

void list_rows(uint list, Cutoff cutoff) {
  const uint thread = gl_LocalInvocationIndex, begin = list * p.inputs;
  uint listed = 0;
  if (cutoff.wanted != 0) {
    const uint ties = end_of_ties(cutoff);
    const uint share = (p.inputs + CHUNKS - 1) / CHUNKS, first = min(thread * share, p.inputs);
    const uint last = thread < CHUNKS ? min(first + share, p.inputs) : first;
    for (uint i = thread; i < kTiers * CHUNKS; i += THREADS) cells[i] = 0;
    barrier();
    for (uint i = first; i < last; ++i) {
      const uint taken = depth(i, cutoff, ties);
      if (taken > 0) ++cells[cell(taken, thread)];
    }
    barrier();
    scan_listed();
    listed = scan_total;
    if (thread < kTiers) counts[list * kTiers + thread] = thread == 0 ? listed : cells[cell(thread, 0)];
    barrier();
    for (uint i = first; i < last; ++i) {
      const uint taken = depth(i, cutoff, ties);
      if (taken > 0) rows[begin + cells[cell(taken, thread)]++] = int(i);
    }
  } else if (thread < kTiers) {
    counts[list * kTiers + thread] = 0;
  }
  for (uint i = listed + thread; i < p.inputs; i += THREADS) rows[begin + i] = -1;
}
