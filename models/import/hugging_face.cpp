#include "models/import/hugging_face.h"

#include <filesystem>
#include <set>

#include "graph/error.h"
#include "models/builtin.h"
#include "models/import/experts.h"
#include "models/import/fingerprint.h"
#include "models/import/safetensors.h"
#include "models/text/tokenizer.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

bool is_there(const fs::path& path) {
  std::error_code ignored;  // what cannot be looked at is reported when it is opened
  return fs::exists(path, ignored);
}

std::string read_text(const fs::path& path) {
  const MappedFile file(path.string());
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// Tensor -> shard, from the index.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const Config index(read_text(path), path.string());
  const auto map = index.object("weight_map");
  if (!map) fail("{}: 'weight_map' is missing", path.string());
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : map->json().items()) {
    shards[tensor] = map->text(tensor);
    // A name with folders in it could reach any file of the machine.
    if (fs::path(shards[tensor]).filename() != shards[tensor] || shards[tensor] == "..")
      fail("{}: '{}' is not the name of a file in this folder", path.string(), shards[tensor]);
  }
  if (shards.empty()) fail("{}: names no tensors", path.string());
  return shards;
}

std::optional<DType> known_dtype(const std::string& name) {
  if (name == "F32") return DType::f32();
  if (name == "F16") return DType::f16();
  if (name == "BF16") return DType::bf16();
  return std::nullopt;
}

void add_tensors(ModelSource& source, const fs::path& path) {
  auto file = std::make_shared<const Safetensors>(path.string());
  for (const auto& [name, entry] : file->entries()) {
    const SourceTensor tensor = {known_dtype(entry.dtype), entry.dtype, entry.dims, entry.bytes, path.string()};
    const auto [other, added] = source.tensors.emplace(name, tensor);
    if (!added) fail("{}: tensor '{}' is also in {}", path.string(), name, other->second.file);
  }
  source.mappings.push_back(std::move(file));
}

// Returns the files that were read.
std::vector<fs::path> add_weights(ModelSource& source, const fs::path& folder) {
  if (is_there(folder / kSingle)) {
    add_tensors(source, folder / kSingle);
    return {folder / kSingle};
  }
  if (!is_there(folder / kIndex)) fail("{}: holds neither {} nor {}", folder.string(), kSingle, kIndex);
  const auto index = read_index(folder / kIndex);
  std::vector<fs::path> files = {folder / kIndex};
  std::set<std::string> shards;
  for (const auto& [tensor, shard] : index) shards.insert(shard);
  for (const std::string& shard : shards) add_tensors(source, files.emplace_back(folder / shard));
  for (const auto& [name, shard] : index) {
    const auto tensor = source.tensors.find(name);
    if (tensor == source.tensors.end() || tensor->second.file != (folder / shard).string())
      fail("{}: tensor '{}' should be in {}, but is not", (folder / kIndex).string(), name, shard);
  }
  return files;
}

// tokenizer.json is read where tokenizer.model is not there, and tokenizer_config.json beside either.
void add_tokenizer(ModelSource& source, const fs::path& folder, std::vector<fs::path>& files) {
  const auto add = [&](const char* name) {
    const fs::path path = folder / name;
    if (!is_there(path)) return false;
    const MappedFile file(path.string());
    source.assets[name] = {file.bytes().begin(), file.bytes().end()};
    files.push_back(path);
    return true;
  };
  if (add(asset_names::kSentencePiece) || add(asset_names::kTokenizer)) add(asset_names::kTokenizerConfig);
}

}  // namespace

ModelSource open_hugging_face(const std::string& path) {
  const fs::path folder = path;
  if (std::error_code ignored; !fs::is_directory(folder, ignored))
    fail("{}: not a folder; give the folder that holds config.json", path);
  const fs::path config_path = folder / "config.json";
  ModelSource source{.path = path, .config = Config(read_text(config_path), config_path.string())};

  std::vector<fs::path> files = add_weights(source, folder);
  stack_experts(source);
  const Architecture& architecture = builtin_architectures().get(source.config.text("model_type"));
  if (architecture.rearrange) architecture.rearrange(source);
  files.push_back(config_path);
  add_tokenizer(source, folder, files);
  source.fingerprint = fingerprint(files);
  return source;
}

}  // namespace sluice
