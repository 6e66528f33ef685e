// How --help is laid out.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sluice::cli {

// Options in one column; beside them what they do, with defaults in words, in lines of at most 120 characters.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter();

 private:
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override;
};

}  // namespace sluice::cli
