"""What the CUDA kernels must move and do, and the times that follow on an H100 or H200: predicted, nothing is measured.

`gpu_plan.py` has how a pass is cut up, and what is assumed of the GPUs. `gpu_tables.py` prints the tables of the page
docs/gpu.md.
"""

from __future__ import annotations

import math
from dataclasses import replace

from gpu_plan import (
    BEFORE,
    BLOCK_THREADS,
    BLOCK_WARPS,
    ELEMENT_BYTES,
    H100,
    H200,
    NOW,
    Code,
    Gpu,
    Range,
    Tiling,
    arithmetic_bytes,
    pass_chunks,
    register_shape,
    step_chunks,
    tiling,
)

__all__ = [
    "BEFORE",
    "ELEMENT_BYTES",
    "H100",
    "H200",
    "NOW",
    "ROW_OPERATIONS",
    "STATES",
    "Code",
    "Gpu",
    "Range",
    "bytes_in_flight",
    "floor_seconds",
    "gradient_seconds",
    "pass_bytes",
    "pass_chunks",
    "pass_limits",
    "register_shape",
    "step_chunks",
    "step_floor",
    "step_parts",
    "step_seconds",
    "step_tiling",
    "tiling",
    "update_bytes",
    "update_seconds",
]

# Of loss and slope, counted in losses.hpp and elementary.hpp; of logistic by the fast units in machine code for sm_90.
ROW_OPERATIONS = {"least_squares": 10, "logistic": 65}
FAST_ROW_OPERATIONS = {"least_squares": 10, "logistic": 50}
STATES = {"GradientDescent": 0, "Momentum": 1, "AdaGrad": 1, "RMSProp": 1, "Adam": 2}
FINISH_PARTS = 8


def chunks_of(n: int, d: int, storage: str, gpu: Gpu, code: Code = NOW) -> int:
    """Chunks that a pass writes sums of."""
    name = tiling(d, storage, gpu, code).name
    most_rows = n if name in ("lanes", "stream") else 4096
    return 1 if name == "split" else pass_chunks(n, d, ELEMENT_BYTES[storage], most_rows)


def pass_bytes(n: int, d: int, storage: str) -> int:
    """Bytes that a pass moves at least: X and the targets once, w, the gradient."""
    return n * d * ELEMENT_BYTES[storage] + (n + 2 * d) * arithmetic_bytes(storage)


def partial_bytes(n: int, d: int, storage: str, gpu: Gpu = H100, code: Code = NOW) -> int:
    """Bytes of the chunks' sums, which the first stage writes and the second reads."""
    return chunks_of(n, d, storage, gpu, code) * (d + 2) * 8


def loss_operations(storage: str, loss: str, code: Code = NOW) -> int:
    """Operations of a loss and its slope."""
    return (FAST_ROW_OPERATIONS if code.fast_units and storage != "float64" else ROW_OPERATIONS)[loss]


def _operations_of_scores(way: Tiling, of_loss: int) -> float:
    """Operations of a lane from its share of a row's score to the row's slope, by row."""
    meetings, rows = math.log2(way.lanes), way.at_once
    if rows == 1:
        return of_loss + 2 * meetings
    # When two lanes meet they share the rows out, each by a shuffle, an addition and two choices; in the end each lane
    # has the loss of one row, or of a few, and every row's loss and slope are handed to all lanes.
    shared = min(math.log2(rows), meetings)
    handed = sum(rows * 0.5 ** (k + 1) for k in range(int(shared)))
    held = max(rows / way.lanes, 1.0)
    return (4 * handed + 2 * held * (meetings - shared) + held * of_loss) / rows + 2


def operations(n: int, d: int, storage: str, loss: str, way: Tiling, code: Code = NOW) -> float:
    """Operations of single lanes in a pass, in units of a float32 multiply-add."""
    conversions = 2 if storage == "16 bit" else 0
    cost = 2 if storage == "float64" else 1
    if way.name in ("lanes", "stream"):
        width, unit = 16 // ELEMENT_BYTES[storage], math.gcd(16, d * ELEMENT_BYTES[storage])
        loads = 0.0 if unit == 16 else 4.0
        if way.name == "lanes" and storage == "16 bit" and code.granules and unit < 16:
            loads = (4 + 15) / width  # shuffles and moves that put 16 bytes in their place
        if way.name == "stream":  # rows in shared memory are read by as many bytes as they are aligned to
            loads *= ELEMENT_BYTES[storage] / unit
        elements = way.lanes * way.vectors * width * (2 * cost + conversions + loads)
        of_scores = _operations_of_scores(way, loss_operations(storage, loss, code))
        return float(n * (elements + way.lanes * (cost * of_scores + 30)))
    return float(n * (d * (2 * cost + conversions + 6) + 2 * cost * loss_operations(storage, loss, code)))


def wavefronts(d: int, storage: str, way: Tiling, code: Code = NOW) -> float:
    """Wavefronts of L1 and shared memory that a row takes."""
    element, number = ELEMENT_BYTES[storage], arithmetic_bytes(storage)
    aligned = d * element % 16 == 0
    if way.name == "lanes":
        if not aligned and storage == "16 bit" and code.granules:
            return (d * element + 16) / 128
        return d * (element / 128 if aligned else 1 / 8)  # element by element: a load of a warp touches four lines
    if way.name == "stream":  # the copy, then 16 bytes a lane, or fewer, which meet others at their banks
        return d * element / 128 * (1 + 16 / math.gcd(16, d * element))
    reads = 2 * max(1.0, element / 4)  # of x for the score and for the gradient, by the 32 lanes of a warp
    return d / 32 * (element / 4 + reads + number / 4 + 1)  # the copy, x, w, the slope


def row_seconds(storage: str, loss: str, way: Tiling, gpu: Gpu = H100, code: Code = NOW) -> float:
    """Seconds from a row in registers, or from several, to the gradient: operations that wait for one another."""
    cycles = 8 if storage == "float64" else 4
    elements = way.vectors * 16 // ELEMENT_BYTES[storage]
    # Several rows wait together, but for the losses that one lane has; then every row is handed to all lanes.
    losses = loss_operations(storage, loss, code) * max(way.at_once // way.lanes, 1)
    meetings = math.log2(way.lanes) + (way.at_once > 1)
    return (cycles * (elements + losses) + 25 * meetings) / gpu.clock


def bytes_in_flight(d: int, storage: str, way: Tiling) -> int:
    """Bytes of rows, from a ring with their targets, that a multiprocessor waits for while it works on those before."""
    element = ELEMENT_BYTES[storage]
    if way.name == "lanes":  # each group's next row, or rows
        return way.resident * BLOCK_THREADS // way.lanes * way.at_once * d * element
    if way.name == "stream":  # all stages but the one that is read
        return way.resident * (way.stages - 1) * way.rows * (d * element + arithmetic_bytes(storage))
    return way.resident * way.rows * (way.columns or d) * element  # the other tile


def turn_seconds(n: int, d: int, storage: str, loss: str, way: Tiling, gpu: Gpu, code: Code = NOW) -> Range:
    """Seconds of a pass if only its turns counted: while a block works on rows, it waits for the next ones."""

    def turns(latency: float, sync: float) -> float:
        if way.name == "stream":
            groups = way.resident * BLOCK_THREADS // way.lanes
            work = (row_seconds(storage, loss, way, gpu, code) + 30 / gpu.clock) / groups
            return n / gpu.multiprocessors * max(row_bytes * latency / flight, work)
        if way.name == "lanes":
            rows = way.resident * BLOCK_THREADS // way.lanes * way.at_once
            return n / rows / gpu.multiprocessors * max(latency, row_seconds(storage, loss, way, gpu, code))
        work = way.rows * wavefronts(way.columns or d, storage, way, code) / gpu.clock
        if way.name == "split":  # the scores of a tile come from the other blocks all at once
            return math.ceil(n / way.rows) * (work + sync + gpu.cache_latency)
        wait = latency + 0.2e-6  # a row's target is read when its score is known; then four syncs of the block
        return n / way.rows / gpu.multiprocessors * max(work, (work + wait) / way.resident)

    flight, row_bytes = bytes_in_flight(d, storage, way), d * ELEMENT_BYTES[storage] + arithmetic_bytes(storage)
    low, high = (turns(gpu.memory_latency[i], gpu.grid_sync[i]) for i in (0, 1))
    return low, high


def pass_limits(
    n: int, d: int, storage: str, loss: str = "logistic", gpu: Gpu = H100, code: Code = NOW
) -> dict[str, Range]:
    """Seconds of the first stage by each limit alone; the slowest one decides."""
    way = tiling(d, storage, gpu, code)
    seconds = {
        "memory": (pass_bytes(n, d, storage) + 2 * partial_bytes(n, d, storage, gpu, code)) / gpu.memory_rate,
        "operations": operations(n, d, storage, loss, way, code) / (gpu.float32_rate / 2),
        "L1": n * wavefronts(d, storage, way, code) / gpu.wavefronts,
    }
    turns = {"turns": turn_seconds(n, d, storage, loss, way, gpu, code)}
    return {name: (value, value) for name, value in seconds.items()} | turns


def second_stage(n: int, d: int, storage: str, gpu: Gpu = H100, code: Code = NOW) -> float:
    """Seconds of the second stage, in which each thread adds its eighth of the chunks, `code.loads` at a time."""
    way, chunks = tiling(d, storage, gpu, code), chunks_of(n, d, storage, gpu, code)
    if way.name == "split":
        return 2 * gpu.cache_latency
    of_thread = math.ceil(chunks / FINISH_PARTS)
    rounds = math.ceil(of_thread / code.loads)
    if way.name != "stream":  # one load at a time, the loss's chunks come after the column's; else beside them
        return (2 if code.loads == 1 else 1) * rounds * gpu.cache_latency
    # A block adds all columns of its eighth, the last one adds the eighths; each is told by a fence and a counter.
    passes = math.ceil((d + 2) / (2 * BLOCK_THREADS))  # two columns a thread at once
    bytes_seconds = of_thread * (d + 2) * 8 / (gpu.cache_bytes * gpu.clock)
    eighths = math.ceil((d + 2) / BLOCK_THREADS)
    return max(passes * rounds * gpu.cache_latency, bytes_seconds) + (4 + eighths) * gpu.cache_latency


def floor_seconds(n: int, d: int, storage: str, gpu: Gpu = H100) -> float:
    """Seconds that no kernel can beat that reads X once from memory."""
    return pass_bytes(n, d, storage) / gpu.memory_rate


def gradient_seconds(n: int, d: int, storage: str, loss: str = "logistic", gpu: Gpu = H100, code: Code = NOW) -> Range:
    """Seconds of value and gradient: the launches, the pass, the second stage; the host's work is not in it."""
    limits = pass_limits(n, d, storage, loss, gpu, code)
    later = second_stage(n, d, storage, gpu, code)
    launches = 1 if tiling(d, storage, gpu, code).name == "stream" else 2
    low, high = (max(limit[i] for limit in limits.values()) + later + launches * gpu.launch[i] for i in (0, 1))
    return low, high


def step_tiling(d: int, storage: str = "float32", code: Code = NOW) -> Tiling:
    """Choose the tiling of rows in any order, which do not stream."""
    return tiling(d, storage, code=replace(code, streams=False))


def step_parts(batch: int, d: int, storage: str = "float32", gpu: Gpu = H100, code: Code = NOW) -> dict[str, Range]:
    """Seconds of the parts of a step in the persistent kernel, for logistic loss, shuffled rows and Adam."""
    way = step_tiling(d, storage, code)
    if way.name != "lanes":
        raise ValueError(f"d must be one whose rows fit registers, got {d}")
    chunks, sums, row = step_chunks(batch), d + 2, row_seconds(storage, "logistic", way, gpu, code)
    turns = math.ceil(math.ceil(batch / chunks) / (BLOCK_THREADS // way.lanes * way.at_once))
    passes = math.ceil(sums / BLOCK_THREADS)
    shuffles = math.log2(32 / way.lanes) * (way.vectors * 16 // ELEMENT_BYTES[storage] + 2)
    flush = BLOCK_WARPS * (shuffles + 30 * passes) / gpu.clock
    # The first rows come during the step before; the later ones wait for their number, then for themselves.
    low, high = (
        row + (turns - 1) * max(row, 2 * latency) + flush + gpu.cache_latency for latency in gpu.memory_latency
    )
    columns = min(max(32, 1 << (sums - 1).bit_length()), BLOCK_THREADS)
    if sums > BLOCK_THREADS:  # four columns a thread at once, and chunks if there are loads left
        rounds = math.ceil(sums / (4 * BLOCK_THREADS)) * math.ceil(chunks / max(code.loads // 4, 1))
    else:
        rounds = math.ceil(chunks / (BLOCK_THREADS // columns) / code.loads)
    add_up = max(rounds * gpu.cache_latency, chunks * sums * 8 / (gpu.cache_bytes * gpu.clock))
    update = gpu.cache_latency + 200 * passes / gpu.clock
    return {"rows": (low, high), "grid sync": gpu.grid_sync, "sums": (add_up,) * 2, "update": (update,) * 2}


def step_floor(batch: int, d: int, storage: str = "float32", gpu: Gpu = H100) -> float:
    """Seconds that a step takes at least: its rows from memory, or one grid-wide sync."""
    return max(batch * d * ELEMENT_BYTES[storage] / gpu.memory_rate, gpu.grid_sync[0])


def step_seconds(batch: int, d: int, storage: str = "float32", gpu: Gpu = H100, code: Code = NOW) -> Range:
    """Seconds of a step in the persistent kernel: its parts one after the other, or its rows from memory."""
    parts, memory = step_parts(batch, d, storage, gpu, code), batch * d * ELEMENT_BYTES[storage] / gpu.memory_rate
    low, high = (max(sum(part[i] for part in parts.values()), memory) for i in (0, 1))
    return low, high


def update_bytes(rule: str, n: int, dtype: str = "float32") -> int:
    """Bytes of an update: w and the state read and written, the gradient read."""
    return n * ELEMENT_BYTES[dtype] * (3 + 2 * STATES[rule])


def update_seconds(rule: str, n: int, dtype: str = "float32", gpu: Gpu = H100) -> Range:
    """Seconds of an update of arrays that are in memory and in no cache: a launch, one read, the bytes."""
    moved = update_bytes(rule, n, dtype) / gpu.memory_rate
    low, high = (gpu.launch[i] + gpu.memory_latency[i] + moved for i in (0, 1))
    return low, high
