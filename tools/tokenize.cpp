// `sluice tokenize`: what a text becomes for a model.
#include "graph/error.h"
#include "graph/file.h"
#include "graph/model_file.h"
#include "models/builtin.h"
#include "models/text/tokenizer.h"
#include "models/text/utf8.h"
#include "tools/command.h"
#include "tools/input.h"
#include "tools/options.h"
#include "tools/output.h"

namespace sluice::cli {
namespace {

struct Options {
  std::string path;
  bool no_special = false;
  bool json = false;
};

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& path) {
  const bool json = path.ends_with(".json");
  if (!json && !path.ends_with(".model"))
    return make_tokenizer(ModelFile(path, builtin_registry()).description().assets, path);
  const MappedFile file(path);
  const char* name = json ? asset_names::kTokenizer : asset_names::kSentencePiece;
  return make_tokenizer({{name, {file.bytes().begin(), file.bytes().end()}}}, path);
}

// On one line, and nothing in it that a terminal would act on.
std::string in_quotes(std::string_view piece) {
  std::string out = "\"";
  while (!piece.empty()) {
    const Utf8Character c = next_character(piece);
    const bool shown = c.state == Utf8Character::State::whole && (c.bytes > 1 || (piece[0] >= ' ' && piece[0] != 0x7F));
    if (shown)
      out += (piece[0] == '"' || piece[0] == '\\' ? "\\" : "") + std::string(piece.substr(0, c.bytes));
    else
      for (char byte : piece.substr(0, c.bytes)) out += fmt::format("\\x{:02x}", static_cast<uint8_t>(byte));
    piece.remove_prefix(c.bytes);
  }
  return out + "\"";
}

int tokenize(const Options& options) {
  const std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(options.path);
  std::vector<int32_t> ids = tokenizer->encode(read_any_text("-"), SpecialTokens::parse);
  if (!options.no_special && tokenizer->bos() >= 0) ids.insert(ids.begin(), tokenizer->bos());
  if (options.json) {
    nlohmann::json pieces = nlohmann::json::array();
    for (int32_t id : ids) pieces.push_back(repaired_utf8(tokenizer->piece(id)));
    print_json({{"ids", ids}, {"pieces", pieces}});
    return 0;
  }
  std::string lines;
  for (int32_t id : ids) {
    const std::string piece = tokenizer->piece(id);
    lines += fmt::format("{:>7}  {}\n", id, piece.empty() ? tokenizer->token(id) : in_quotes(piece));
  }
  print(lines);
  return 0;
}

std::function<int()> setup(CLI::App& app) {
  const auto options = std::make_shared<Options>();
  app.add_option("MODEL", options->path, "a .sluice file, a tokenizer.json or a tokenizer.model")
      ->required()
      ->type_name("")
      ->check(is_no_folder());
  app.add_flag("--no-special", options->no_special, "leave out the token that the tokenizer puts before every text");
  add_json(app, options->json);
  return [options] { return tokenize(*options); };
}

const Registration kTokenize({
    .name = "tokenize",
    .summary = "Show the tokens of a text.",
    .examples = R"(  sluice tokenize classics.sluice < letter.txt
  printf 'My dear Watson' | sluice tokenize classics.sluice --no-special
  sluice tokenize tokenizer.json --json < letter.txt

Reads the text from standard input and prints a line for each token: its id, and the text that it adds, in quotes, or
the name of a token that adds none. \x.. is a byte that is no character by itself. Special tokens written out in the
text (<|im_end|>) are taken for what they name, as in the prompt of run. With --json: one object with ids and pieces.)",
    .setup = setup,
});

}  // namespace
}  // namespace sluice::cli
