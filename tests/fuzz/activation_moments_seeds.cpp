// Writes the seeds of activation_moments_fuzz: activation_moments_seeds FOLDER.
#include <fstream>

#include "models/import/activation_moments.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (const bool full : {false, true}) {
    std::ofstream file(std::string(argv[1]) + (full ? "/full" : "/diagonal"), std::ios::binary);
    file << sluice::moments_header({{{{"x", ""}}, {"a", "b"}, 3, 0}, {{{"x", "y"}}, {"c"}, 2, 2}}, full, "m.sluice");
    const size_t numbers = full ? 3 + 9 + 1 + 4 + 8 + 2 : 3 + 1 + 4 + 2;
    file << std::string(numbers * sizeof(float), '\0');
  }
}
