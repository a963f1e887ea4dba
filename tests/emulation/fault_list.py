"""The faults that `faults.py` plants in the sources of cuda/."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

# Kinds that the thread sanitizer sees soon. Its programs are sooner compiled, but run longer where they find nothing.
RACES = ("missing ", "plain store ")
# The sources of launch/ whose kernels show faults in headers, by the headers' first words; gradient.cu shows others.
_SOURCES = {name: name for name in ("columns", "epoch", "hessian", "order", "scores", "softmax", "sparse", "stream")}
_SOURCES |= {"in": "epoch", "ring": "stream", "step": "epoch"}


class Fault(NamedTuple):
    """A change to one file of cuda/; `old` stands in it just once. The driver runs the kernels of that file."""

    kind: str
    name: str
    file: str
    old: str
    new: str
    driver: str = "kernels"

    @property
    def sanitizers(self) -> tuple[str, str]:
        """Return the sanitizers, first the one that is likely to see the fault: the other one is then not built."""
        is_race = self.kind.startswith(RACES)
        return ("thread", "address,undefined") if is_race else ("address,undefined", "thread")

    @property
    def source(self) -> str:
        """Return the one source of cuda/ that is compiled with the fault: all that see it would take long."""
        if not self.file.startswith("kernels/"):
            return self.file
        word = Path(self.file).stem.partition("_")[0]
        return f"launch/{_SOURCES.get(word, 'gradient')}.cu"

    @property
    def part(self) -> str:
        """Return the part of the driver that runs the kernels of `source`; empty if all of it does."""
        name = Path(self.source).stem
        return name if self.driver == "kernels" and name in ("order", "sparse", "stream", "update") else ""


FAULTS = [
    Fault(
        "missing barrier",
        "scores of a tile are read before all are written",
        "kernels/tiles.cuh",
        "score(tile, n, w);\n            __syncthreads();",
        "score(tile, n, w);",
    ),
    Fault(
        "missing barrier",
        "a tile is copied over while it is added to the gradient",
        "kernels/tiles.cuh",
        "accumulate(tile, n);\n            __syncthreads();",
        "accumulate(tile, n);",
    ),
    Fault(
        "missing barrier",
        "sums of warps are added before all are written",
        "kernels/lanes.cuh",
        "of_warp[d_ + 1] = sums.losses;\n        }\n        Threads::sync();",
        "of_warp[d_ + 1] = sums.losses;\n        }",
    ),
    Fault(
        "missing barrier",
        "sums of chunks are added before all are written",
        "kernels/step.cuh",
        "scratch[threadIdx.x] = sum;\n    __syncthreads();",
        "scratch[threadIdx.x] = sum;",
    ),
    Fault(
        "missing grid sync",
        "a step is taken before all blocks have summed",
        "kernels/epoch.cuh",
        "cooperative_groups::this_grid().sync();\n",
        "__syncthreads();\n",
    ),
    Fault(
        "missing grid sync",
        "scores are summed before all blocks have theirs",
        "kernels/split.cuh",
        "cooperative_groups::this_grid().sync();\n",
        "__syncthreads();\n",
    ),
    Fault(
        "missing grid sync",
        "sums of the next step overwrite those being read",
        "kernels/epoch.cuh",
        "e.partial + steps % 2 * e.n_chunks * stride",
        "e.partial",
    ),
    Fault(
        "plain store for a shared counter",
        "every block counts the step",
        "kernels/finish.cuh",
        "if (blockIdx.x == 0 && threadIdx.x == 0) finish_status(",
        "if (threadIdx.x == 0) finish_status(",
    ),
    Fault(
        "plain store for an atomic",
        "the mark of divergence is read and written plainly",
        "kernels/finish.cuh",
        "if (!finite(loss)) atomicMax(&f.status->diverged, 1u);",
        "f.status->diverged = !finite(loss);",
    ),
    Fault(
        "off-by-one read",
        "a row's last vector reaches past it",
        "kernels/lanes.cuh",
        "if (column + v < d) lane[v] = x[column + v];",
        "if (column + v <= d) lane[v] = x[column + v];",
    ),
    Fault(
        "off-by-one read",
        "a chunk has a row too many",
        "kernels/batch.hpp",
        "return part(first, count * (i + 1) / n_chunks - first);",
        "return part(first, count * (i + 1) / n_chunks - first + 1);",
    ),
    Fault(
        "off-by-one read",
        "several loads at once reach past the last one",
        "kernels/in_order.cuh",
        "last - i > Index(at_once - 1) * step;",
        "last - i >= Index(at_once - 1) * step;",
    ),
    Fault(
        "off-by-one read",
        "16 bytes at the end of X reach past it",
        "kernels/granules.cuh",
        "rows.n_columns * sizeof(S), to",
        "rows.n_columns * sizeof(S) + granule_bytes, to",
    ),
    Fault(
        "unaligned vector access",
        "16 bytes are moved as if each row began where they do",
        "kernels/lanes.cuh",
        "joined(row.x[k], beside, row.offset)",
        "joined(row.x[k], beside, 0)",
    ),
    Fault(
        "unaligned vector access",
        "rows that are not aligned are read as if they were",
        "kernels/lanes.cuh",
        "if (aligned) {",
        "if (aligned || true) {",
    ),
    Fault(
        "unaligned vector access",
        "an update of arrays that are not aligned",
        "launch/update.cu",
        "return bits % 16 == 0;",
        "return bits % 4 == 0;",
    ),
    Fault(
        "unaligned vector access",
        "doubles lie behind an odd number of floats",
        "kernels/tiles.cuh",
        "numbers * sizeof(T) + 15) / 16 * 16;",
        "numbers * sizeof(T));",
    ),
    Fault(
        "missing wait on an asynchronous copy",
        "a tile is read before the copy engine has written it",
        "kernels/tile_copy.cuh",
        "ptx::barrier_wait(barriers_ + tile, waited_ / 2 % 2);",
        "",
    ),
    Fault(
        "missing wait on an asynchronous copy",
        "a tile is read before its threads' copies have landed",
        "kernels/tile_copy.cuh",
        "ptx::copy_async_wait_prior<1>();",
        "ptx::copy_async_wait_prior<2>();",
    ),
    Fault(
        "missing wait on an asynchronous copy",
        "a block ends before its last copy has landed",
        "kernels/epoch.cuh",
        "    sums.drain();\n",
        "",
    ),
    Fault(
        "diverging barrier",
        "threads without a row of the tile leave before the barrier",
        "kernels/tiles.cuh",
        "            if (threadIdx.x < n) {\n",
        "            if (threadIdx.x >= 128) continue;\n            if (threadIdx.x < n) {\n",
    ),
    Fault(
        "missing wait at an empty barrier",
        "a stage is filled before all have read it",
        "kernels/ring.cuh",
        "ptx::barrier_wait(empty_ + stage_, phase_ ^ 1u);",
        "",
    ),
    Fault(
        "missing wait at a full barrier",
        "a stage is read before its rows have landed",
        "kernels/ring.cuh",
        "ptx::barrier_wait(full_ + stage_, phase_);",
        "",
    ),
    Fault(
        "missing barrier",
        "a stage is given back before all lanes have read it",
        "kernels/ring.cuh",
        "void give_back() {\n        __syncwarp();",
        "void give_back() {",
    ),
    Fault(
        "missing fence",
        "chunks are counted before others can see them",
        "kernels/stream.cuh",
        "            __threadfence();\n            *flag_ =",
        "            *flag_ =",
    ),
    Fault(
        "missing fence",
        "chunks are added up that may not have come",
        "kernels/stream.cuh",
        "+ 1 == n;\n            __threadfence();",
        "+ 1 == n;",
    ),
    Fault(
        "plain store for an atomic",
        "blocks and chunks that are done are counted plainly",
        "kernels/stream.cuh",
        "*flag_ = atomicAdd(counter, 1u) + 1 == n;",
        "*flag_ = ++*counter == n;",
    ),
    Fault(
        "missing barrier",
        "chunks are counted before all threads have written them",
        "kernels/stream.cuh",
        "        Consumers::sync();\n        if (threadIdx.x == 0) {\n            __threadfence();",
        "        if (threadIdx.x == 0) {\n            __threadfence();",
    ),
    Fault(
        "plain store for a shared counter",
        "a pass begins with the counters of the last one",
        "kernels/stream.cuh",
        "pass_.counters->clear();",
        "",
    ),
    Fault(
        "plain store for a shared counter",
        "a pass begins with the chunks that the last one left",
        "kernels/chunks.cuh",
        "atomicInc(counter_, n_ - 1)",
        "atomicAdd(counter_, 1u)",
    ),
    Fault(
        "plain store for an atomic",
        "chunks are handed out by a counter that is read and written plainly",
        "kernels/chunks.cuh",
        "gridDim.x + atomicInc(counter_, n_ - 1)",
        "gridDim.x + ((*counter_)++ % n_)",
    ),
    Fault(
        "off-by-one read",
        "whole 16 bytes reach beyond the targets",
        "kernels/ring.cuh",
        "after < most ? after : most",
        "after < most ? after : after",
    ),
    Fault(
        "missing wait on an asynchronous copy",
        "a stage is full before the copies of 16 bytes have landed",
        "kernels/ring.cuh",
        "arrive_after_copies(full);\n            if (threadIdx.x % 32 == 0) ptx::barrier_arrive(full);",
        "arrive(full);\n            if (threadIdx.x % 32 == 0) ptx::barrier_arrive(full);",
    ),
    Fault(
        "diverging shuffle",
        "lanes without a row leave before the shuffle",
        "kernels/lanes.cuh",
        "            int end = 0;",
        "            if (turn + std::size_t(at_.group) >= last) break;\n            int end = 0;",
    ),
    Fault(
        "missing barrier",
        "rows of warps are counted before all are written",
        "kernels/order.cuh",
        "of_warps[warp] = count;\n    __syncthreads();",
        "of_warps[warp] = count;",
    ),
    Fault(
        "off-by-one write",
        "rows are written one place too far",
        "kernels/order.cuh",
        "earlier = (1u << lane) - 1",
        "earlier = (2u << lane) - 1",
    ),
    Fault(
        "number of too few bits",
        "rows beyond 2^31 have negative numbers",
        "kernels/batch.hpp",
        "return index ? index[at] : begin + at;",
        "return std::size_t(int(index ? index[at] : begin + at));",
    ),
    Fault(
        "context made by the way",
        "the device before is made current again, used or not",
        "launch/device.cu",
        "    if (current_context() != before_) choose_context(before_);",
        "    cudaSetDevice(0);",
    ),
    Fault(
        "launch that the device cannot do",
        "a grid-wide sync on a device without cooperative launches",
        "launch/epoch.cu",
        "    if (!device.cooperative) return found;\n",
        "",
    ),
    Fault(
        "missing fence",
        "the copy engine is asked before it knows the barriers",
        "kernels/tile_copy.cuh",
        "                ptx::fence_proxy_async();\n",
        "",
    ),
    Fault(
        "memory that a copy still reads",
        "the order of an epoch goes before it is copied",
        "engine/descent.cpp",
        "    wait(data.stream);  // the caller's order may go\n",
        "",
    ),
    Fault(
        "wrong lane",
        "a lane hands over the rows that it keeps",
        "kernels/butterfly.cuh",
        "sent = z[q];",
        "sent = z[q + half];",
    ),
    Fault(
        "missing barrier",
        "sums of hot columns are added to before all are zero",
        "kernels/sparse_columns.cuh",
        "hot[i] = 0;\n    __syncthreads();",
        "hot[i] = 0;",
    ),
    Fault(
        "missing barrier",
        "sums of hot columns are handed on before all is added",
        "kernels/sparse_columns.cuh",
        "    __syncthreads();\n    struct Hot {",
        "    struct Hot {",
    ),
    Fault(
        "plain store for an atomic",
        "terms of a column are added plainly",
        "kernels/sparse_columns.cuh",
        "if (high != 0) atomicAdd(s.high + j, high);",
        "s.high[j] += high;",
    ),
    Fault(
        "off-by-one read",
        "a share has an entry too many",
        "kernels/sparse.cuh",
        "last_entry = stop - last_row;",
        "last_entry = stop - last_row + 1;",
    ),
    Fault(
        "diverging shuffle",
        "a group waits for those of other rows",
        "kernels/sparse.cuh",
        "__shfl_xor_sync(group.mask, sum, offset)",
        "__shfl_xor_sync(all_lanes, sum, offset)",
    ),
    Fault(
        "missing barrier",
        "a product's sums of warps are added before all are written",
        "kernels/hessian_lanes.cuh",
        "of_warp[d_ + 1] = T(0);\n        }\n        __syncthreads();",
        "of_warp[d_ + 1] = T(0);\n        }",
        "hessian",
    ),
    Fault(
        "missing barrier",
        "a product's scores are read before all are written",
        "kernels/hessian_tiles.cuh",
        "score(tile, n);\n            __syncthreads();",
        "score(tile, n);",
        "hessian",
    ),
    Fault(
        "missing barrier",
        "a product's slopes are read before all are written",
        "kernels/hessian_tiles.cuh",
        "double(slopes_[threadIdx.x]);\n            }\n            __syncthreads();",
        "double(slopes_[threadIdx.x]);\n            }",
        "hessian",
    ),
    Fault(
        "off-by-one read",
        "a long row has an element too many",
        "kernels/hessian_long.cuh",
        "x[k] = at < d ?",
        "x[k] = at <= d ?",
        "hessian",
    ),
    Fault(
        "missing barrier",
        "moments of a column are added before all are written",
        "kernels/columns.cuh",
        "*mine = own;\n        __syncthreads();",
        "*mine = own;",
        "hessian",
    ),
    Fault(
        "off-by-one read",
        "a copied row has an element too many",
        "kernels/columns.cuh",
        "if (at < g.n_columns) of[k]",
        "if (at <= g.n_columns) of[k]",
        "hessian",
    ),
    Fault(
        "missing barrier",
        "scores of the classes are read before all are written",
        "kernels/softmax.cuh",
        "            __syncthreads();\n            losses += evaluate(target);",
        "            losses += evaluate(target);",
        "softmax",
    ),
    Fault(
        "missing barrier",
        "slopes of the classes are replaced while they are read",
        "kernels/softmax.cuh",
        "add_slopes(n, turn > 0, out);\n            __syncthreads();",
        "add_slopes(n, turn > 0, out);",
        "softmax",
    ),
]
