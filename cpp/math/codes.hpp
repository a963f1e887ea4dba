// A view of a categorical column: one code a row, which stands for columns of 0 and 1.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cpp/math/macros.hpp"

namespace steepest {

// Row i is 1 in column codes[i] - first and 0 in the others; all zeros where that is no column. The first level is the
// baseline where `first` is 1.
template <class C>
struct Codes {
    const C* codes;
    std::size_t n_rows, n_columns;
    std::uint32_t first;

    // n_columns or more where the row is all zeros; a code of -1 is large.
    STEEPEST_INLINE std::uint32_t column(std::size_t row) const {
        return std::uint32_t(std::int32_t(codes[row])) - first;
    }
};

#define STEEPEST_FOR_EACH_CODE(X) X(std::int8_t, "int8") X(std::int16_t, "int16") X(std::int32_t, "int32")

}  // namespace steepest
