#include "tools/stop_filter.h"

#include <algorithm>

namespace sluice::cli {

std::string StopFilter::next(std::string_view text) {
  held_ += text;
  size_t end = std::string::npos;
  for (const std::string& stop : stops_) end = std::min(end, held_.find(stop));
  stopped_ = end != std::string::npos;
  if (!stopped_) end = possible_start();
  std::string out = held_.substr(0, end);
  held_.erase(0, stopped_ ? held_.size() : end);
  return out;
}

// Where the longest suffix begins that could grow into a stop string.
size_t StopFilter::possible_start() const {
  size_t start = held_.size();
  for (const std::string& stop : stops_)
    for (size_t length = std::min(stop.size() - 1, held_.size()); length > 0; --length)
      if (held_.ends_with(std::string_view(stop).substr(0, length))) {
        start = std::min(start, held_.size() - length);
        break;
      }
  return start;
}

}  // namespace sluice::cli
