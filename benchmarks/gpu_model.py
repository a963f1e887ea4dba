"""What the CUDA kernels must move and do, and the times that follow on an H100: predicted, nothing here is measured.

How a pass is cut up mirrors cuda/kernels/plan.hpp and cuda/launch/plan.cuh. `gpu_tables.py` prints the tables of
docs/gpu.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BLOCK_THREADS, BLOCK_WARPS = 256, 8
ELEMENT_BYTES = {"float32": 4, "float64": 8, "16 bit": 2}
ROW_OPERATIONS = {"least_squares": 10, "logistic": 65}  # of loss and slope, counted in losses.hpp and elementary.hpp
# Registers of lanes_gradient by vectors, as nvcc 13.0 counts them for sm_90; of the two formats of 16 bits the more.
REGISTERS = {
    "float32": {1: 63, 2: 79, 4: 115, 8: 193},
    "float64": {1: 82, 2: 97, 4: 136, 8: 212},
    "16 bit": {1: 72, 2: 122, 4: 164},
}
STATES = {"GradientDescent": 0, "Momentum": 1, "AdaGrad": 1, "RMSProp": 1, "Adam": 2}
Range = tuple[float, float]


@dataclass(frozen=True)
class Gpu:
    """Assumptions and leads, from data sheets and what others report; the ranges are where reports differ."""

    name: str = "H100 SXM"
    memory_rate: float = 3.0e12  # bytes a second of a copy; 3.35e12 nominal
    float32_rate: float = 67e12  # operations a second, a multiply-add is two
    float64_rate: float = 34e12
    multiprocessors: int = 132
    clock: float = 1.755e9
    shared_bytes: int = 232_448  # of a block
    registers: int = 65_536  # of a multiprocessor
    memory_latency: Range = (0.6e-6, 0.9e-6)  # when little is under way, and when much is
    cache_latency: float = 0.3e-6  # of the L2
    grid_sync: Range = (1.2e-6, 2.0e-6)
    launch: Range = (2.5e-6, 4.0e-6)

    @property
    def wavefronts(self) -> float:
        """Lines of 128 bytes a second through the L1 cache and shared memory of all multiprocessors."""
        return self.multiprocessors * self.clock


H100 = Gpu()


def arithmetic_bytes(storage: str) -> int:
    """Bytes of the numbers that are computed with: float32 for 16-bit storage."""
    return max(ELEMENT_BYTES[storage], 4)


def register_shape(d: int, width: int) -> tuple[int, int] | None:
    """Lanes and 16-byte vectors of each that hold a row of d elements, `width` to a vector; None where none do."""
    shapes = [(1, 1), (2, 1), (4, 1), (8, 1), (8, 2), (8, 4), (16, 4), (32, 4), (32, 8)]
    return next((s for s in shapes if d <= width * s[0] * s[1] and s[1] * width <= 32), None)


def pass_chunks(n: int, d: int, element_bytes: int, most_rows: int) -> int:
    """Chunks of a pass over all rows, of `most_rows` each at most."""
    chunks = max(min(n * d // 8192, 1024), (n + most_rows - 1) // most_rows)
    return max(min(chunks, max(n * element_bytes // 400, 128), n), 1)


def chunks_of(n: int, d: int, storage: str, gpu: Gpu) -> int:
    """Chunks that a pass writes sums of."""
    name = tiling(d, storage, gpu).name
    return 1 if name == "split" else pass_chunks(n, d, ELEMENT_BYTES[storage], n if name == "lanes" else 4096)


def step_chunks(rows: int) -> int:
    """Chunks of a step in the persistent kernel."""
    return min(max(min(math.isqrt(9 * rows // 4), 128), 1), rows)


@dataclass(frozen=True)
class Tiling:
    """How rows are taken: by `lanes` of `vectors`, or in tiles of `rows`; blocks that fit a multiprocessor."""

    name: str
    lanes: int = 0
    vectors: int = 0
    rows: int = 0
    resident: int = 1
    columns: int = 0  # of a block, where they are split


def tile_bytes(rows: int, d: int, storage: str) -> int:
    """Shared memory of a block that takes whole rows: two tiles, w, the gradient, scores, slopes and losses."""
    width, number = 16 // ELEMENT_BYTES[storage], arithmetic_bytes(storage)
    tiles = 128 + 2 * rows * math.ceil(d / width) * width * ELEMENT_BYTES[storage]
    parts = max(BLOCK_WARPS // rows, 1)
    return tiles + (d + max(d, BLOCK_THREADS) + (parts + 2) * rows) * number


def tiling(d: int, storage: str, gpu: Gpu = H100) -> Tiling:
    """Choose the tiling of a row-major X as cuda/launch/plan.cuh does."""
    element, number = ELEMENT_BYTES[storage], arithmetic_bytes(storage)
    if shape := register_shape(d, 16 // element):
        registers = math.ceil(REGISTERS[storage][shape[1]] / 8) * 8
        return Tiling("lanes", *shape, resident=gpu.registers // (registers * BLOCK_THREADS))
    aligned = d * element % 16 == 0
    for limit, resident in ((gpu.shared_bytes // 2 - 1024, 2), (gpu.shared_bytes, 1)):
        for rows in (8, 4, 2, 1):
            if tile_bytes(rows, d, storage) <= limit:
                return Tiling("bulk" if aligned else "tiles", rows=rows, resident=resident)
    width = 16 // element
    columns = math.ceil(math.ceil(d / gpu.multiprocessors) / width) * width
    for rows in (64, 32, 16, 8, 4, 2, 1):
        if columns * (8 + 2 * number) + 2 * rows * (columns * element + number) <= gpu.shared_bytes:
            return Tiling("split", rows=rows, columns=columns)
    raise ValueError(f"d must have fewer columns for {gpu.name}, got {d}")


def pass_bytes(n: int, d: int, storage: str) -> int:
    """Bytes that a pass moves at least: X and the targets once, w, the gradient."""
    return n * d * ELEMENT_BYTES[storage] + (n + 2 * d) * arithmetic_bytes(storage)


def partial_bytes(n: int, d: int, storage: str, gpu: Gpu = H100) -> int:
    """Bytes of the chunks' sums, which the first stage writes and the second reads."""
    return chunks_of(n, d, storage, gpu) * (d + 2) * 8


def operations(n: int, d: int, storage: str, loss: str, way: Tiling) -> float:
    """Operations of single lanes in a pass, in units of a float32 multiply-add."""
    conversions = 2 if storage == "16 bit" else 0
    cost = 2 if storage == "float64" else 1
    if way.name == "lanes":
        width = 16 // ELEMENT_BYTES[storage]
        loads = 0 if d * ELEMENT_BYTES[storage] % 16 == 0 else 4
        elements = way.lanes * way.vectors * width * (2 * cost + conversions + loads)
        return float(n * (elements + way.lanes * (cost * (ROW_OPERATIONS[loss] + 2 * math.log2(way.lanes)) + 30)))
    return float(n * (d * (2 * cost + conversions + 6) + 2 * cost * ROW_OPERATIONS[loss]))


def wavefronts(d: int, storage: str, way: Tiling) -> float:
    """Wavefronts of L1 and shared memory that a row takes."""
    element, number = ELEMENT_BYTES[storage], arithmetic_bytes(storage)
    if way.name == "lanes":
        aligned = d * element % 16 == 0
        return d * (element / 128 if aligned else 1 / 8)  # element by element: a load of a warp touches four lines
    reads = 2 * max(1.0, element / 4)  # of x for the score and for the gradient, by the 32 lanes of a warp
    return d / 32 * (element / 4 + reads + number / 4 + 1)  # the copy, x, w, the slope


def row_seconds(storage: str, loss: str, way: Tiling, gpu: Gpu = H100) -> float:
    """Seconds from a row in registers to its part of the gradient: operations that wait for one another."""
    cycles = 8 if storage == "float64" else 4
    elements = way.vectors * 16 // ELEMENT_BYTES[storage]
    return (cycles * (elements + ROW_OPERATIONS[loss]) + 25 * math.log2(way.lanes)) / gpu.clock


def turn_seconds(n: int, d: int, storage: str, loss: str, way: Tiling, gpu: Gpu) -> Range:
    """Seconds of a pass if only its turns counted: while a block works on rows, it waits for the next ones."""

    def turns(latency: float, sync: float) -> float:
        if way.name == "lanes":
            rows = way.resident * BLOCK_THREADS // way.lanes
            return n / rows / gpu.multiprocessors * max(latency, row_seconds(storage, loss, way, gpu))
        work = way.rows * wavefronts(way.columns or d, storage, way) / gpu.clock
        if way.name == "split":  # the scores of a tile come from the other blocks all at once
            return math.ceil(n / way.rows) * (work + sync + gpu.cache_latency)
        wait = latency + 0.2e-6  # a row's target is read when its score is known; then four syncs of the block
        return n / way.rows / gpu.multiprocessors * max(work, (work + wait) / way.resident)

    low, high = (turns(gpu.memory_latency[i], gpu.grid_sync[i]) for i in (0, 1))
    return low, high


def pass_limits(n: int, d: int, storage: str, loss: str = "logistic", gpu: Gpu = H100) -> dict[str, Range]:
    """Seconds of the first stage by each limit alone; the slowest one decides."""
    way = tiling(d, storage, gpu)
    seconds = {
        "memory": (pass_bytes(n, d, storage) + 2 * partial_bytes(n, d, storage, gpu)) / gpu.memory_rate,
        "operations": operations(n, d, storage, loss, way) / (gpu.float32_rate / 2),
        "L1": n * wavefronts(d, storage, way) / gpu.wavefronts,
    }
    turns = {"turns": turn_seconds(n, d, storage, loss, way, gpu)}
    return {name: (value, value) for name, value in seconds.items()} | turns


def second_stage(n: int, d: int, storage: str, gpu: Gpu = H100) -> float:
    """Seconds of the second stage: a thread adds its chunks eight loads at a time, the loss's after the column's."""
    if tiling(d, storage, gpu).name == "split":
        return 2 * gpu.cache_latency
    rounds = math.ceil(chunks_of(n, d, storage, gpu) / 8 / 8)
    return 2 * rounds * gpu.cache_latency


def floor_seconds(n: int, d: int, storage: str, gpu: Gpu = H100) -> float:
    """Seconds that no kernel can beat that reads X once from memory."""
    return pass_bytes(n, d, storage) / gpu.memory_rate


def gradient_seconds(n: int, d: int, storage: str, loss: str = "logistic", gpu: Gpu = H100) -> Range:
    """Seconds of value and gradient: two launches, the pass, the second stage; the host's work is not in it."""
    limits = pass_limits(n, d, storage, loss, gpu)
    later = second_stage(n, d, storage, gpu)
    low, high = (max(limit[i] for limit in limits.values()) + later + 2 * gpu.launch[i] for i in (0, 1))
    return low, high


def step_parts(batch: int, d: int, storage: str = "float32", gpu: Gpu = H100) -> dict[str, Range]:
    """Seconds of the parts of a step in the persistent kernel, for logistic loss, shuffled rows and Adam."""
    way = tiling(d, storage, gpu)
    if way.name != "lanes":
        raise ValueError(f"d must be one whose rows fit registers, got {d}")
    chunks, sums, row = step_chunks(batch), d + 2, row_seconds(storage, "logistic", way, gpu)
    turns = math.ceil(math.ceil(batch / chunks) / (BLOCK_THREADS // way.lanes))
    passes = math.ceil(sums / BLOCK_THREADS)
    shuffles = math.log2(32 / way.lanes) * (way.vectors * 16 // ELEMENT_BYTES[storage] + 2)
    flush = BLOCK_WARPS * (shuffles + 30 * passes) / gpu.clock
    # The first rows come during the step before; the later ones wait for their number, then for themselves.
    low, high = (
        row + (turns - 1) * max(row, 2 * latency) + flush + gpu.cache_latency for latency in gpu.memory_latency
    )
    columns = min(max(32, 1 << (sums - 1).bit_length()), BLOCK_THREADS)
    if sums > BLOCK_THREADS:  # four columns a thread and four chunks at once
        rounds = math.ceil(sums / (4 * BLOCK_THREADS)) * math.ceil(chunks / 4)
    else:
        rounds = math.ceil(chunks / (BLOCK_THREADS // columns) / 8)
    add_up = max(rounds * gpu.cache_latency, chunks * sums * 8 / (64 * gpu.clock))
    update = gpu.cache_latency + 200 * passes / gpu.clock
    return {"rows": (low, high), "grid sync": gpu.grid_sync, "sums": (add_up,) * 2, "update": (update,) * 2}


def step_floor(batch: int, d: int, storage: str = "float32", gpu: Gpu = H100) -> float:
    """Seconds that a step takes at least: its rows from memory, or one grid-wide sync."""
    return max(batch * d * ELEMENT_BYTES[storage] / gpu.memory_rate, gpu.grid_sync[0])


def step_seconds(batch: int, d: int, storage: str = "float32", gpu: Gpu = H100) -> Range:
    """Seconds of a step in the persistent kernel: its parts one after the other, or its rows from memory."""
    parts, memory = step_parts(batch, d, storage, gpu), batch * d * ELEMENT_BYTES[storage] / gpu.memory_rate
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
