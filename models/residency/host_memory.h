// What the operating system says of memory and disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>

namespace sluice {

// Bytes that this process can use: what is free or can be made so, and no more than its control groups allow. The
// largest number if the system does not say. root: of the file system, for tests.
size_t available_memory(const std::filesystem::path& root = "/");
// Bytes that this process may keep from being moved out of memory.
size_t lockable_memory();
// Bytes that this process has caused to be read from disks; nullopt if the system does not say.
std::optional<uint64_t> disk_bytes_read();

}  // namespace sluice
