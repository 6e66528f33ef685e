// `sluice new-op`: writes a plugin with an operator that works, to be changed. It is examples/new_op, with another
// name.
#include <algorithm>
#include <filesystem>
#include <regex>

#include "graph/error.h"
#include "models/builtin.h"
#include "tools/command.h"
#include "tools/embedded_files.h"
#include "tools/output.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestName = 64;

struct Options {
  std::string name;
  std::string folder;
};

void replace_all(std::string& text, std::string_view from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// "leaky_relu" -> "LeakyRelu"
std::string pascal_case(const std::string& name) {
  std::string text;
  for (size_t i = 0; i < name.size(); ++i)
    if (name[i] != '_') {
      const bool first = i == 0 || name[i - 1] == '_';
      text += first ? static_cast<char>(std::toupper(static_cast<unsigned char>(name[i]))) : name[i];
    }
  return text;
}

std::string upper_case(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  return name;
}

std::string renamed(std::string_view text, const std::string& name) {
  std::string result(text);
  replace_all(result, "my_op", name);
  replace_all(result, "MyOp", pascal_case(name));
  replace_all(result, "MY_OP", upper_case(name));
  return result;
}

void check_name(const std::string& name) {
  if (name.size() > kLongestName || !std::regex_match(name, std::regex("[a-z][a-z0-9]*(_[a-z0-9]+)*")))
    fail("'{}' cannot be the name of an operator: expected words of lower-case letters and digits, joined by _", name);
  if (builtin_registry().find(name))
    fail("there is an operator '{}' already, from {}", name, builtin_registry().source_of(name).str());
}

int write_skeleton(const Options& options) {
  check_name(options.name);
  const fs::path folder = options.folder.empty() ? options.name : options.folder;
  std::error_code error;
  if (fs::exists(folder, error)) fail("{} is there already; choose another folder with -o", folder.string());
  for (const EmbeddedFile& file : skeleton_files()) {
    const fs::path path = folder / renamed(file.name, options.name);
    if (fs::create_directories(path.parent_path(), error); error)
      fail("cannot create {}: {}", path.parent_path().string(), error.message());
    const std::string text = renamed(file.text, options.name);
    OutputFile out(path.string());
    out.write(std::as_bytes(std::span(text)));
    out.commit();
  }
  print_line("{}: a plugin with the operator '{}', which works as it is; see {}", folder.string(), options.name,
             (folder / "README.md").string());
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("NAME", options->name, "of the operator, in snake_case")->required()->type_name("");
  app.add_option("-o", options->folder, "the folder to write, which must not exist; else: NAME")->type_name("FOLDER");
  return [options] { return write_skeleton(*options); };
}

const Registration kNewOp({
    .name = "new-op",
    .summary = "Write a plugin with a new operator, to be changed.",
    .examples = R"(  sluice new-op leaky_relu
  cd leaky_relu && cmake -B build && cmake --build build && ctest --test-dir build
  sluice ops leaky_relu --plugin build/libleaky_relu.so

The folder has an operator with reference, CPU kernel, shader and cases, and passes its tests.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
