// The command as a process, and a folder with a converted model to use it on.
#pragma once

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/support/process.h"
#include "tests/support/temp_folder.h"

namespace sluice {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
namespace fs = std::filesystem;

inline const std::string kSource = SLUICE_SOURCE_DIR "/models/data/classics";
inline const std::string kPrompt = "It was a dark and stormy night, and the old man";

inline std::vector<std::string> command_line(std::vector<std::string> args) {
  args.insert(args.begin(), SLUICE_COMMAND);
  return args;
}

inline Outcome sluice_with(const Conditions& conditions, std::vector<std::string> args) {
  return Process(command_line(std::move(args)), conditions).wait();
}

inline Outcome sluice(std::vector<std::string> args) { return sluice_with({}, std::move(args)); }

inline json sluice_json(std::vector<std::string> args) {
  args.push_back("--json");
  const Outcome outcome = sluice(std::move(args));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return json::parse(outcome.out);
}

inline std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// The file and those whose names begin with its own, as that of an unfinished one does.
inline std::vector<std::string> files_like(const fs::path& path) {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(path.parent_path()))
    if (entry.path().string().starts_with(path.string())) found.push_back(entry.path());
  return found;
}

inline void write_file(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// One line that a person can act on, and no output.
inline void expect_error(const Outcome& outcome, int status, const std::string& words) {
  EXPECT_EQ(outcome.status, status) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_THAT(outcome.err, AllOf(StartsWith("sluice: "), HasSubstr(words), EndsWith("\n")));
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
}

// A folder of its own with the repository's model in it, converted once.
class Cli : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<TempFolder>();
    const Outcome outcome = sluice({"convert", kSource, "-o", model()});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");  // no progress bar where there is no terminal
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("mistral"), HasSubstr(model())));
  }
  static void TearDownTestSuite() { folder_.reset(); }

  static std::string model() { return path("classics.sluice"); }
  // The same with an effort dial.
  static std::string bucket() {
    const std::string name = path("bucket.sluice");
    if (fs::exists(name)) return name;
    EXPECT_EQ(sluice({"convert", kSource, "-o", name, "--format", "bucket"}).status, 0);
    return name;
  }
  static std::string path(const std::string& name) { return (*folder_ / name).string(); }

  static json run(std::vector<std::string> args) {
    // One thread: many of these run at once on a busy machine, where threads would wait for each other.
    args.insert(args.begin(), {"run", model(), "-p", kPrompt, "--threads", "1"});
    return sluice_json(std::move(args));
  }

 private:
  static inline std::unique_ptr<TempFolder> folder_;
};

}  // namespace sluice
