// The passes over groups of columns of one ISA level. Compiled once per level, as passes.cpp is.
#include "cpp/kernels/codes.hpp"

namespace steepest {
namespace {

template <class C, class T>
constexpr CodesKernels<C, T> of_codes = {&add_code_products<C, T>, &add_code_rows<C, T>};
template <class T>
constexpr NumbersKernels<T> of_numbers = {&add_number_products<T>, &add_number_rows<T>};

}  // namespace

#define STEEPEST_KERNELS(C, name) of_codes<C, float>, of_codes<C, double>,
#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(codes_, level)

extern const CodesTable STEEPEST_NAME(STEEPEST_LEVEL);
const CodesTable STEEPEST_NAME(STEEPEST_LEVEL) = {
    {STEEPEST_FOR_EACH_CODE(STEEPEST_KERNELS) of_numbers<float>, of_numbers<double>}};

}  // namespace steepest
