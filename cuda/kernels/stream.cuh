// A whole pass in one launch: rows of X in sequence stream through a ring of stages, eight warps add them up as lanes
// do, bit for bit, and the last blocks to finish add up the chunks in the order of `finish`.
#pragma once

#include "cuda/kernels/finish.cuh"
#include "cuda/kernels/lanes.cuh"
#include "cuda/kernels/ring.cuh"

namespace steepest::cuda {

// Storages whose rows stream: those that the memory, not the arithmetic, is to limit.
template <class S>
constexpr bool is_streamed = sizeof(ArithmeticOf<S>) == 4 && sizeof(S) >= 2;

// Blocks for which a multiprocessor has registers.
template <class S, int K>
constexpr int blocks_of_stream = K * 16 / int(sizeof(S)) <= 16 ? 2 : 1;

// What blocks tell one another; all 0 before a pass and after it.
struct StreamCounters {
    unsigned next;                // chunk after those that every block begins with
    unsigned ended;               // blocks
    unsigned done[finish_parts];  // chunks of each part

    __device__ __forceinline__ void clear() {
        if (threadIdx.x == 0) atomicMin(&next, 0u);
        if (threadIdx.x == 0) atomicMin(&ended, 0u);
        if (threadIdx.x < finish_parts) atomicMin(&done[threadIdx.x], 0u);
    }
};

template <class S>
struct StreamPass {
    using T = ArithmeticOf<S>;
    Batch<S> rows;  // in sequence
    unsigned unit;  // bytes, at most 16, that every row starts at a multiple of
    int lanes;
    RingShape ring;
    Finish<T> finish;
    double* partial;  // those of `finish`, then the sums of the parts
    StreamCounters* counters;
};

// How the consumers of a block meet.
struct Consumers {
    __device__ __forceinline__ static void sync() { ptx::sync_threads<1>(block_threads); }
};

// Chunks are dealt to `finish_parts` parts. Who finishes the last chunk of a part adds up the part; the last block to
// end adds the parts, as `finish` adds what its threads have.
template <class S>
class LastBlocks {
    using T = ArithmeticOf<S>;

  public:
    __device__ LastBlocks(const StreamPass<S>& pass, unsigned char* flag)
        : pass_(pass),
          stride_(sums_of(pass.rows.n_columns)),
          parts_(pass.partial + pass.finish.n_chunks * stride_),
          flag_(reinterpret_cast<volatile unsigned*>(flag)) {}

    // The block has written the sums of a chunk.
    __device__ __forceinline__ void finish_chunk(unsigned chunk) {
        const unsigned part = chunk % finish_parts;
        const unsigned of_part = unsigned((pass_.finish.n_chunks - part + finish_parts - 1) / finish_parts);
        if (is_last(&pass_.counters->done[part], of_part)) add_part(part);
    }

    // The block ends: none of its threads asks for another chunk.
    __device__ __forceinline__ void finish_pass() {
        if (!is_last(&pass_.counters->ended, gridDim.x)) return;
        const Finish<T>& f = pass_.finish;
        const double loss = add_parts(stride_ - 1);
        if (threadIdx.x == 0) *flag_ = finite(loss) && atomicAdd(&f.status->diverged, 0u) == 0;
        Consumers::sync();
        const bool good = *flag_;
        for (std::size_t c = threadIdx.x; c < f.step.n_parameters(); c += block_threads)
            finish_column(f, c, add_parts(c), good);
        if (threadIdx.x == 0) finish_status(f, loss, good);
        pass_.counters->clear();
    }

  private:
    // Whether `n` have come now, each when its block had written what the last one is to read.
    __device__ __forceinline__ bool is_last(unsigned* counter, unsigned n) {
        Consumers::sync();
        if (threadIdx.x == 0) {
            __threadfence();
            *flag_ = atomicAdd(counter, 1u) + 1 == n;
            __threadfence();
        }
        Consumers::sync();
        const bool last = *flag_;
        Consumers::sync();
        return last;
    }

    // Several chunks of several columns at once, since each number comes from the L2 cache.
    __device__ __forceinline__ void add_part(unsigned part) {
        constexpr int chunks_at_once = 8, columns_at_once = 2;
        const std::size_t n = pass_.finish.n_chunks;
        for (std::size_t first = threadIdx.x; first < stride_; first += columns_at_once * block_threads) {
            double sums[columns_at_once] = {};
            for (std::size_t chunk = part; chunk < n; chunk += chunks_at_once * finish_parts) {
                double of_chunks[chunks_at_once][columns_at_once];
#pragma unroll
                for (int k = 0; k < chunks_at_once; ++k)
#pragma unroll
                    for (int c = 0; c < columns_at_once; ++c)
                        of_chunks[k][c] = number(chunk + std::size_t(k) * finish_parts, first + c * block_threads);
#pragma unroll
                for (int k = 0; k < chunks_at_once; ++k)
#pragma unroll
                    for (int c = 0; c < columns_at_once; ++c)
                        if (chunk + std::size_t(k) * finish_parts < n) sums[c] += of_chunks[k][c];
            }
            for (int c = 0; c < columns_at_once; ++c)
                if (first + c * block_threads < stride_)
                    __stcg(parts_ + part * stride_ + first + c * block_threads, sums[c]);
        }
    }

    // Of a chunk, if there is such a chunk and column.
    __device__ __forceinline__ double number(std::size_t chunk, std::size_t column) const {
        const bool known = chunk < pass_.finish.n_chunks && column < stride_;
        return known ? __ldcg(pass_.partial + chunk * stride_ + column) : 0.0;
    }

    __device__ __forceinline__ double add_parts(std::size_t j) const {
        double sums[finish_parts];
#pragma unroll
        for (unsigned p = 0; p < finish_parts; ++p)
            sums[p] = p < pass_.finish.n_chunks ? __ldcg(parts_ + p * stride_ + j) : 0.0;
        double sum = sums[0];
#pragma unroll
        for (unsigned p = 1; p < finish_parts; ++p) sum += sums[p];
        return sum;
    }

    const StreamPass<S>& pass_;
    std::size_t stride_;
    double* parts_;
    volatile unsigned* flag_;
};

template <class S, int K>
class StreamSums {
  public:
    using T = ArithmeticOf<S>;
    static constexpr int width = 16 / sizeof(S), elements = K * width;

    static STEEPEST_HOST_DEVICE std::size_t shared_bytes(const RingShape& ring, std::size_t d) {
        return Ring<S>::shared_bytes(ring, d) + 16 + most_columns * sizeof(T) + LaneSums<S, K>::shared_bytes(d);
    }

    __device__ StreamSums(unsigned char* shared, const StreamPass<S>& pass)
        : pass_(pass),
          at_(pass.lanes),
          shared_(shared),
          after_ring_(unsigned(Ring<S>::shared_bytes(pass.ring, pass.rows.n_columns))),
          ring_(shared, pass.ring, pass.rows.n_columns) {}

    __device__ __forceinline__ void run() {
        if (threadIdx.x >= block_threads) {
            produce();
        } else {
            consume();
            last_blocks().finish_pass();
        }
    }

  private:
    static constexpr unsigned most_columns = 1024;

    __device__ __forceinline__ unsigned next_chunk() const {
        unsigned chunk = 0;
        if (threadIdx.x % 32 == 0) chunk = gridDim.x + atomicAdd(&pass_.counters->next, 1u);
        return __shfl_sync(all_lanes, chunk, 0);
    }

    __device__ __forceinline__ void produce() {
        const unsigned n_chunks = unsigned(pass_.finish.n_chunks);
        for (unsigned i = blockIdx.x; i < n_chunks; i = next_chunk()) {
            const Batch<S> chunk = pass_.rows.chunk(i, n_chunks);
            for (std::size_t first = 0; first < chunk.count; first += pass_.ring.rows) {
                const std::size_t left = chunk.count - first;
                const bool last = left <= pass_.ring.rows;
                ring_.fill(chunk, i, first, last ? unsigned(left) : pass_.ring.rows, last);
            }
        }
        ring_.end(n_chunks);
    }

    __device__ __forceinline__ void consume() {
        const T bias = share_parameters();
        T wk[elements];
        load_parameters(wk);
        lane_sums().clear();
        GroupSums<S, K> group;
        unsigned unflushed = 0;
        for (Stage stage = ring_.next(); stage.chunk < pass_.finish.n_chunks; stage = ring_.next()) {
            add_rows(stage, group, wk, bias);
            ring_.give_back();
            unflushed += stage.n;
            if (stage.last || unflushed == flush_rows * unsigned(at_.groups)) {
                LaneSums<S, K> sums = lane_sums();
                sums.template flush<Consumers>(group);
                group = {};
                unflushed = 0;
                if (!stage.last) continue;
                sums.write_several(pass_.partial + stage.chunk * sums_of(pass_.rows.n_columns));
                sums.clear();
                last_blocks().finish_chunk(stage.chunk);
                load_parameters(wk);  // again, so that they take no registers while chunks are added up
            }
        }
    }

    // What comes after the ring: the flag of `LastBlocks`, the parameters, and what `LaneSums` has.
    __device__ __forceinline__ unsigned char* after_ring() const { return shared_ + ptx::made_anew(after_ring_); }
    __device__ __forceinline__ T* shared_parameters() const { return reinterpret_cast<T*>(after_ring() + 16); }

    __device__ __forceinline__ LastBlocks<S> last_blocks() const { return LastBlocks<S>(pass_, after_ring()); }

    __device__ __forceinline__ LaneSums<S, K> lane_sums() const {
        return LaneSums<S, K>(after_ring() + 16 + most_columns * sizeof(T), pass_.rows.n_columns, pass_.lanes);
    }

    // Copies the parameters to shared memory, those of a lane side by side and 0 after the last column. Returns the
    // intercept.
    __device__ __forceinline__ T share_parameters() {
        const T* w = pass_.finish.step.w;
        for (unsigned j = threadIdx.x; j < unsigned(at_.lanes * elements); j += block_threads) {
            const unsigned vector = j / width, lane = vector % unsigned(at_.lanes), k = vector / unsigned(at_.lanes);
            shared_parameters()[(lane * K + k) * width + j % width] = j < pass_.rows.n_columns ? w[j] : T(0);
        }
        Consumers::sync();
        return pass_.finish.step.intercept ? w[pass_.rows.n_columns] : T(0);
    }

    __device__ __forceinline__ void load_parameters(T (&wk)[elements]) const {
        const T* of_lane = shared_parameters() + at_.lane * elements;
        for (int e = 0; e < elements; ++e) wk[e] = of_lane[e];
    }

    __device__ __forceinline__ void add_rows(const Stage& stage, GroupSums<S, K>& group, const T (&w)[elements],
                                             T bias) {
        const unsigned d = unsigned(pass_.rows.n_columns);
        const S* x = ring_.rows(stage);
        const T *y = ring_.targets(stage), *weight = pass_.rows.weight ? ring_.weights(stage) : nullptr;
        for (unsigned first = 0; first < stage.n; first += unsigned(at_.groups)) {
            const unsigned r = first + unsigned(at_.group);
            const bool real = r < stage.n;
            RowInRegisters<S, K> row;
            load_row(x + r * d, real ? d : 0, row);
            row.y = real ? y[r] : T(0);
            row.weight = !real ? T(0) : weight ? weight[r] : T(1);
            group.add(row, real, w, bias, pass_.rows.loss, at_.lanes);
        }
    }

    // The lane's vectors of a row of d elements in shared memory, by as many bytes as rows are aligned to.
    __device__ __forceinline__ void load_row(const S* x, unsigned d, RowInRegisters<S, K>& row) const {
        if (pass_.unit == 16) return load_by<uint4>(x, d, row);
        if (pass_.unit == 8) return load_by<uint2>(x, d, row);
        if (sizeof(S) == 4 || pass_.unit == 4) return load_by<unsigned>(x, d, row);
        load_by<S>(x, d, row);
    }

    template <class Unit>
    __device__ __forceinline__ void load_by(const S* x, unsigned d, RowInRegisters<S, K>& row) const {
        constexpr unsigned elements_of = sizeof(Unit) / sizeof(S);
        const unsigned first = ptx::made_anew(unsigned(at_.lane * width));
        const unsigned step = ptx::made_anew(unsigned(at_.lanes * width));
        for (int k = 0; k < K; ++k) {
            Unit units[16 / sizeof(Unit)] = {};
            for (unsigned u = 0; u < 16 / sizeof(Unit); ++u) {
                const unsigned column = first + k * step + u * elements_of;
                if (column < d) units[u] = *reinterpret_cast<const Unit*>(x + column);
            }
            __builtin_memcpy(&row.x[k], units, sizeof(units));
        }
    }

    const StreamPass<S>& pass_;
    Place at_;
    unsigned char* shared_;
    unsigned after_ring_;
    Ring<S> ring_;
};

template <class S, int K>
__global__ void __launch_bounds__(ring_threads, (blocks_of_stream<S, K>))
    stream_gradient(const __grid_constant__ StreamPass<S> pass) {
    STEEPEST_SHARED(shared);
    StreamSums<S, K>(shared, pass).run();
}

}  // namespace steepest::cuda
