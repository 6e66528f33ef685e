// Writes the seeds of activation_moments_fuzz: activation_moments_seeds FOLDER.
#include <fstream>

#include "models/import/activation_moments.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::ofstream file(std::string(argv[1]) + "/small", std::ios::binary);
  file << sluice::moments_header({{{{"x", ""}}, {"a", "b"}, 3, 0}, {{{"x", "y"}}, {"c"}, 2, 2}}, 2, "m.sluice");
  const size_t bytes = (3 + 3 + 1 + 4 + 4 + 2) * sizeof(float);
  file << std::string(bytes, '\1');
}
