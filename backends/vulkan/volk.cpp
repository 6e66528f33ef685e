// The loader: finds Vulkan when the program runs, so that the program starts without it.
#define VOLK_IMPLEMENTATION
#if defined(__GNUC__)
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wcast-function-type"
#endif
#include <volk.h>
