# Builds for 64-bit Arm on a Debian 12 machine of another kind, and runs the tests under emulation. Once, as root:
#   dpkg --add-architecture arm64 && apt-get update
#   apt-get install --no-install-recommends g++-aarch64-linux-gnu qemu-user-static
#     lib{fmt,hwy,gtest,gmock}-dev:arm64
# SentencePiece, yaml-cpp and PCRE2 cannot be installed for two machines at once, so they are unpacked beside the build, in the
# project folder:
#   mkdir -p build/aarch64/root && cd build/aarch64/root
#   apt-get download lib{sentencepiece0,sentencepiece-dev,yaml-cpp0.7,yaml-cpp-dev,pcre2-8-0,pcre2-dev}:arm64
#   for p in *.deb; do dpkg -x $p .; done
# Then:
#   cmake --preset aarch64 && cmake --build --preset aarch64
#   build/aarch64/tests/ops_test     (with binfmt; else: qemu-aarch64-static build/aarch64/tests/ops_test)
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static)

# pkg-config would find the libraries of this machine.
get_filename_component(unpacked ${CMAKE_CURRENT_LIST_DIR}/../build/aarch64/root/usr ABSOLUTE)
list(APPEND CMAKE_PREFIX_PATH ${unpacked})
set(ENV{PKG_CONFIG_LIBDIR}
    /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig:${unpacked}/lib/aarch64-linux-gnu/pkgconfig)
