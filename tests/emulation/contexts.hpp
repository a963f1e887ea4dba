// Which devices have a context.
#pragma once

#include <set>

namespace emulated {

std::set<int> contexts();
int current_context();   // the device of the calling thread's, -1 where it has none
void forget_contexts();  // as in a new process; the memory stays

}  // namespace emulated
