// How often each call of the runtime was made.
#pragma once

#include <cstddef>
#include <map>
#include <string>

namespace emulated {

std::map<std::string, std::size_t> calls();
void forget_calls();

}  // namespace emulated
