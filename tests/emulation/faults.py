"""Plants faults in the CUDA kernels, one at a time, and says what catches each: `python tests/emulation/faults.py`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emulation.compile import CUDA, DRIVERS, Unavailable, compile_driver, run_driver

SEEDS = range(1, 3)


class Fault(NamedTuple):
    """A change to one file of cuda/; `old` stands in it just once."""

    kind: str
    name: str
    file: str
    old: str
    new: str


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
]


def plant(fault: Fault, folder: Path) -> Path:
    """Copy cuda/ to the folder with the fault in it."""
    cuda = folder / "cuda"
    shutil.copytree(CUDA, cuda)
    path = cuda / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.file} holds {fault.old!r} {text.count(fault.old)} times, not once: mend the fault")
    path.write_text(text.replace(fault.old, fault.new))
    return cuda


def catcher(cuda: Path, folder: Path) -> str | None:
    """Return what finds the kernels of this folder wrong, None where nothing does."""
    for sanitizer in ("address,undefined", "thread"):
        try:
            driver = compile_driver(DRIVERS / "kernels.cpp", folder, sanitizer=sanitizer, cuda=cuda)
        except Unavailable:
            continue
        for seed in SEEDS:
            # Before compute capability 9.0 other copies fill the rings of rows.
            for arguments, variables in ((), {}), (("stream",), {"EMULATED_COMPUTE": "80"}):
                found = run_driver(driver, *arguments, seed=seed, **variables)
                if found is not None:
                    return f"{found} (seed {seed}, {sanitizer})"
    return None


def caught_by(fault: Fault | None) -> str | None:
    """Return what catches the fault; of None, what is found in the kernels as they are."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return catcher(CUDA if fault is None else plant(fault, folder), folder)


def missing_fence() -> str | None:
    """Return what catches a fence left out of a kernel of the self-test: those of cuda/ have barriers only."""
    with tempfile.TemporaryDirectory() as name:
        driver = compile_driver(DRIVERS / "selftest.cpp", Path(name), sanitizer="thread")
        found = (run_driver(driver, "no_fence", seed=seed) for seed in SEEDS)
        return next((f"{report} (thread)" for report in found if report is not None), None)


def main() -> int:
    """Print a line a fault; return how many were not caught, and 1 more where the clean kernels are called wrong."""
    with ThreadPoolExecutor(2) as pool:
        clean, *found = pool.map(caught_by, [None, *FAULTS])
    print(f"{'no fault':38} {clean or 'nothing found, as it must be'}")
    names = [(fault.kind, fault.name) for fault in FAULTS]
    names.append(("missing fence", "a block's sum is read before it is written, in a kernel of the self-test"))
    found.append(missing_fence())
    for (kind, name), catch in zip(names, found, strict=True):
        print(f"{kind:38} {name}\n{'':38}   {catch or 'NOT CAUGHT'}")
    print(f"{len(found)} faults, {found.count(None)} not caught")
    return found.count(None) + (clean is not None)


if __name__ == "__main__":
    sys.exit(main())
