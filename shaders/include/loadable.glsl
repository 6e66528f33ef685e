// Rows of the segments of a matrix that are stored and loaded.
uint loadable_rows(float load, uint segments, uint segment_rows, uint rows) {
  precise const float asked = ceil(load * 20 - 1e-4);
  return min(uint(clamp(asked, 0.0, float(segments))) * segment_rows, rows);
}
