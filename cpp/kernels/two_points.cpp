// The gradients at two points from one reading of the rows, of one ISA level. Compiled once per level, as passes.cpp
// is. A block of rows stays in cache between the two. Of finite numbers, each sum has the bits of a pass of its own.
#include "cpp/kernels/rows.hpp"
#include "cpp/kernels/two_points_table.hpp"

namespace steepest {
namespace {

// One of the two points, and what is added up there.
template <class T, int W>
struct PointSums {
    Linear<T> point;
    Operand<T, W> w;
    Accumulator<T, W> g;
    ScoreSums<T> sums;
    bool zeros = true;  // all of w: products with finite numbers, which need not be made

    PointSums(Linear<T> point_, std::size_t d, T* scratch, const ScoreSums<T>& sums_)
        : point(point_), w(point_.w, d), g(scratch, d), sums(sums_) {
        for (std::size_t j = 0; j < d; ++j) zeros &= point.w[j] == T(0);
    }

    STEEPEST_INLINE void add(const RowBlock<T>& block, std::size_t n, std::size_t d, StageArrays<T>& arrays,
                             const T* const* later) {
        if (zeros) {
            for (std::size_t i = 0; i < n; ++i) arrays.z[i] = T(0);
        } else {
            dots<T, W>(block.x, n, w, d, arrays.z, later);
        }
        finish_block<GradientStage>(arrays, point.bias, T(0), block.y, block.weight, n, sums);
        add_rows<T, W>(block.x, n, arrays.r, d, g, later);
    }
    STEEPEST_INLINE void flush(std::size_t d) {
        g.flush(d);
        add_to_double(g.values, d, sums.gradient);
        for (std::size_t j = 0; j < d; ++j) g.values[j] = T(0);
    }
    STEEPEST_INLINE void write(double* to, std::size_t d) const {
        to[0] = sums.loss;
        to[1 + d] = sums.slope;
    }
};

template <class T>
__attribute__((noinline)) void add_at_two(BlockLoss<T> apply, const LossParameters& parameters, const Rows<T>& rows,
                                          const Coefficients<T>& first, const Coefficients<T>& second, T* scratch,
                                          double* first_sums, double* second_sums) {
    const std::size_t d = rows.X.n_columns;
    with_width<T>(d, [&](auto width) {
        using Of = PointSums<T, width.value>;
        const auto sums_at = [&](double* sums) {
            return ScoreSums<T>{apply, parameters, sums[0], sums[1 + d], sums + 1};
        };
        Of one(score_of(first), d, scratch, sums_at(first_sums));
        Of two(score_of(second), d, scratch + d, sums_at(second_sums));
        const std::size_t block_size = row_block<T>(d, rows.index);
        StageArrays<T> arrays;
        RowBlock<T> block;
        const T* later_x[max_row_block];
        std::size_t unflushed = 0;
        for (std::size_t i = 0; i < rows.count; i += block_size) {
            const std::size_t n = rows.count - i < block_size ? rows.count - i : block_size;
            fetch(rows, i, n, scratch + 2 * d, block);
            two.add(block, n, d, arrays, find_later(rows, i, n, later_x));
            one.add(block, n, d, arrays, nullptr);
            unflushed += n;
            if (unflushed >= flush_rows || i + n == rows.count) {
                one.flush(d);
                two.flush(d);
                unflushed = 0;
            }
        }
        one.write(first_sums, d);
        two.write(second_sums, d);
    });
}

template <class T, class Loss>
void at_two(const LossParameters& parameters, const Rows<T>& rows, const Coefficients<T>& first,
            const Coefficients<T>& second, T* scratch, double* first_sums, double* second_sums) {
    add_at_two<T>(&gradient_of_block<Loss, T>, parameters, rows, first, second, scratch, first_sums, second_sums);
}

#define STEEPEST_LOSS(Loss, name) &at_two<T, Loss>,
template <class T>
constexpr TwoPointsKernels<T> two_points = {{STEEPEST_FOR_EACH_HOST_LOSS(STEEPEST_LOSS)}};

}  // namespace

#define STEEPEST_PASTE(a, b) a##b
#define STEEPEST_NAME(level) STEEPEST_PASTE(two_points_, level)

extern const TwoPointsTable STEEPEST_NAME(STEEPEST_LEVEL);
const TwoPointsTable STEEPEST_NAME(STEEPEST_LEVEL) = {two_points<float>, two_points<double>};

}  // namespace steepest
