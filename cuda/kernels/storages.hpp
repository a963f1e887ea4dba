// Numbers of the storages, for a branch that all threads of a kernel take alike.
#pragma once

#include "cpp/math/storage.hpp"

namespace steepest::cuda {

#define STEEPEST_ID(S, name) storage_of_##S,
enum StorageId { STEEPEST_FOR_EACH_STORAGE(STEEPEST_ID) };
#undef STEEPEST_ID

// Whether elements of the storage with this number are computed with in float64.
constexpr bool is_double(int storage) {
    switch (storage) {
#define STEEPEST_CASE(S, name) \
    case storage_of_##S:       \
        return sizeof(ArithmeticOf<S>) == sizeof(double);
        STEEPEST_FOR_EACH_STORAGE(STEEPEST_CASE)
#undef STEEPEST_CASE
    }
    return false;
}

}  // namespace steepest::cuda
