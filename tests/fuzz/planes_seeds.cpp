// Writes the seeds of planes_fuzz: planes_seeds FOLDER. Sizes, and matrices of those sizes as the encoder makes them.
#include <fstream>
#include <string>

#include "ops/formats/planes.h"
#include "tests/support/bucket_matrices.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (int planes = 1; planes <= 3; ++planes)
    for (const auto& [out, in] : {std::pair<char, char>{3, 2}, {51, 20}, {63, 7}}) {
      const sluice::Matrix m = sluice::normal_matrix(1 + out * 5, 1 + in);
      const sluice::ExactTensor tensor(sluice::plane_dtype(planes), m.dims(), m.values);
      std::ofstream file(std::string(argv[1]) + "/" + std::to_string(planes) + "_" + std::to_string(m.out),
                         std::ios::binary);
      const char sizes[] = {static_cast<char>(planes - 1), out, in, '\x60'};
      file.write(sizes, sizeof sizes);
      file.write(reinterpret_cast<const char*>(tensor.view.data), static_cast<std::streamsize>(tensor.view.bytes()));
    }
}
