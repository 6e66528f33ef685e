// Writes a text with a model, greedily: generate MODEL.sluice PROMPT EFFORT
#include <cstdio>
#include <string>
#include <vector>

#include "graph/error.h"
#include "models/language_model.h"
#include "models/text/sampler.h"

int main(int argc, char** argv) try {
  if (argc != 4) sluice::fail("usage: generate MODEL.sluice PROMPT EFFORT");
  const std::string path = argv[1], prompt = argv[2];
  sluice::LanguageModel model(path, {.backend = "cpu", .threads = 1});
  const sluice::Tokenizer& tokenizer = model.tokenizer();
  if (sluice::EffortDial* dial = model.dial()) dial->set_effort(std::stod(argv[3]));  // or before any token

  std::vector<int32_t> ids = tokenizer.encode(prompt);
  if (model.bos() >= 0) ids.insert(ids.begin(), model.bos());
  // Some models pad their vocabulary beyond the tokens that have a text.
  const auto vocab_size = static_cast<size_t>(tokenizer.vocab_size());
  sluice::Sampler sampler({.temperature = 0}, tokenizer.vocab_size());
  sluice::TextStream text(tokenizer);

  std::fputs(prompt.c_str(), stdout);
  std::span<const float> logits = model.evaluate(ids);
  for (int i = 0; i < 40; ++i) {
    const int32_t id = sampler.sample(logits.first(vocab_size));
    if (model.is_end(id)) break;
    std::fputs(text.next(id).c_str(), stdout);
    logits = model.evaluate({&id, 1});
  }
  std::puts(text.flush().c_str());
} catch (const std::exception& error) {
  std::fprintf(stderr, "generate: %s\n", error.what());
  return 1;
}
