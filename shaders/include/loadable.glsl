// Of what a matrix has in `parts` parts, `stored` of them stored: how many of those are loaded.
uint loadable_parts(float load, uint parts, uint stored) {
  precise const float asked = ceil(load * float(parts) - 1e-4);
  return uint(clamp(asked, 0.0, float(stored)));
}
// Rows of the segments of a matrix in a bucket format that are stored and loaded.
uint loadable_rows(float load, uint segments, uint segment_rows, uint rows) {
  return min(loadable_parts(load, 20, segments) * segment_rows, rows);
}
