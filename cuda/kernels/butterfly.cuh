// Several rows of a group of lanes at once: when two lanes meet they share the rows out, so that in the end each lane
// evaluates the loss of one row, or of a few, and not that of every row.
#pragma once

#include "cuda/kernels/elements.cuh"
#include "cuda/kernels/losses.cuh"

namespace steepest::cuda {

// What a lane has of a row that it evaluates: its score, target and weight, which become its slope and its loss.
template <class T>
struct EvaluatedRow {
    T score_then_slope, y_then_loss, weight;
};

// `lanes` lanes and n rows, both powers of 2.
template <class T, int n>
struct Butterfly {
    int lanes, lane;
    int held, own;  // the rows that the lane evaluates, and the first of them

    __device__ Butterfly(int lanes_, int lane_)
        : lanes(lanes_), lane(lane_), held(n > lanes_ ? n / lanes_ : 1), own(lane_ * n / lanes_) {}

    // Adds up the lanes' shares of the rows' scores: in the end z[0, held) are those of rows own, own + 1, ... The sums
    // have the bits of a butterfly for each row.
    __device__ __forceinline__ void add_shares(T (&z)[n]) const {
        int offset = lanes / 2;
        STEEPEST_UNROLL
        for (int half = n / 2; half > 0; half /= 2) {
            if (offset == 0) continue;
            const bool upper = (lane & offset) != 0;
            STEEPEST_UNROLL
            for (int q = 0; q < half; ++q) {
                T kept = z[q], sent = z[q + half];
                if (upper) {
                    kept = z[q + half];
                    sent = z[q];
                }
                z[q] = kept + __shfl_xor_sync(all_lanes, sent, offset);
            }
            offset /= 2;
        }
        for (; offset > 0; offset /= 2) z[0] += __shfl_xor_sync(all_lanes, z[0], offset);
    }

    // Slopes and losses of the rows that the lane has; the first `end` of all rows are real. The array is rotated past
    // its first element, since registers have no numbers: at the end rows[n - held, n) are evaluated.
    __device__ __forceinline__ void evaluate(const LossChoice& loss, T bias, int end,
                                             EvaluatedRow<T> (&rows)[n]) const {
#pragma unroll 1
        for (int r = 0; r < held; ++r) {
            const EvaluatedRow<T> row = rows[0];
            const LossAndSlope<T> found = loss_and_slope(loss, row.score_then_slope + bias, row.y_then_loss);
            STEEPEST_UNROLL
            for (int q = 1; q < n; ++q) rows[q - 1] = rows[q];
            // A row that is none has weight 0, but its loss must not be one that is not finite times 0.
            const bool real = own + r < end;
            rows[n - 1].score_then_slope = real ? weighted(row.weight, found.slope) : T(0);
            rows[n - 1].y_then_loss = real ? weighted(row.weight, found.loss) : T(0);
        }
    }

    // What one of the lanes has of row q. All that it may be are read first: chosen by a number, they would have to lie
    // in memory.
    __device__ __forceinline__ LossAndSlope<T> of_row(const EvaluatedRow<T> (&rows)[n], int q) const {
        static_assert(n == 2 || n == 4);
        const EvaluatedRow<T> one = rows[n - 1], two = rows[n - 2 + q % 2], four = rows[q];
        T slope = one.score_then_slope, of_loss = one.y_then_loss;
        if (held == 2) {
            slope = two.score_then_slope;
            of_loss = two.y_then_loss;
        } else if (held == 4) {
            slope = four.score_then_slope;
            of_loss = four.y_then_loss;
        }
        const int source = q * lanes / n;
        return {__shfl_sync(all_lanes, of_loss, source, lanes), __shfl_sync(all_lanes, slope, source, lanes)};
    }
};

}  // namespace steepest::cuda
