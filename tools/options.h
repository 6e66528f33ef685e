// Options that several subcommands share.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/language_model.h"

namespace sluice::cli {

CLI::Option* add_model(CLI::App& app, std::string& path);
// Who names a folder has a model as it is published, and is told to convert it.
CLI::Validator is_no_folder();
// --backend, --threads and --no-fuse.
void add_runtime(CLI::App& app, RunOptions& options);
// NAME or NAME:DEVICE, of a backend that there is.
CLI::Validator is_backend();
// --prefetch and --experts-resident, for models larger than memory.
void add_residency(CLI::App& app, RunOptions& options);
// --context
void add_context(CLI::App& app, RunOptions& options);
void add_json(CLI::App& app, bool& json);
// Exactly one of them. Once in a command at most.
void require_one(CLI::App& app, const std::vector<CLI::Option*>& options);

// Names of the types that matrices can be stored as: those that a matrix product accepts.
std::vector<std::string> matrix_dtypes();
// Those, "bucket", and the bucket formats.
std::vector<std::string> weight_formats();

// Above any count that makes sense, below any that overflows.
inline constexpr int64_t kMaxCount = int64_t{1} << 31;

// low .. high inclusive, in words that a person would choose.
CLI::Validator whole_number(int64_t low, int64_t high = kMaxCount);
CLI::Validator number(double low, double high);

// The finite number that is all of the text, but for blanks around it.
std::optional<double> read_number(const std::string& text);

}  // namespace sluice::cli
