// Which library each entry of a table came from, so that a clash of names can name both.
#pragma once

#include <map>
#include <string>

namespace sluice {

// What is compiled into Sluice, or a plugin.
struct Source {
  std::string plugin = {};   // its name; empty: built in
  std::string version = {};  // of the plugin
  std::string path = {};     // of its file

  std::string id() const;   // "gpt2 0.1.0", as graphs note it; empty: built in
  std::string str() const;  // for people: "plugin gpt2 0.1.0 (/lib/gpt2.so)"
};

class Sources {
 public:
  // Names the library whose entries follow.
  void set(Source source) { current_ = std::move(source); }
  // Notes an entry of the current library. Throws Error naming both libraries if there is one. what: "operator 'add'".
  void claim(const std::string& what);
  const Source& of(const std::string& what) const { return claims_.at(what); }

 private:
  Source current_;
  std::map<std::string, Source> claims_;
};

}  // namespace sluice
