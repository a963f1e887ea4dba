// The grid-wide sync of cooperative groups.
#pragma once

#include <cuda_runtime.h>

namespace cooperative_groups {

struct grid_group {
    void sync(emulated::Location at = emulated::Location::current()) const { emulated::sync_grid(at); }
};

inline grid_group this_grid() { return {}; }

}  // namespace cooperative_groups
