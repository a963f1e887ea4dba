"""How the CUDA kernels cut up a pass, and the GPUs that their times are predicted for.

The functions mirror cuda/kernels/plan.hpp, cuda/launch/plan.cuh and cuda/launch/stream.cu.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

BLOCK_THREADS, BLOCK_WARPS = 256, 8
ELEMENT_BYTES = {"float32": 4, "float64": 8, "16 bit": 2}
Registers = dict[str, dict[int, int]]
# Of lanes_gradient by vectors, as nvcc 13.0 counts them for sm_90; of the two formats of 16 bits the more.
REGISTERS_BEFORE: Registers = {
    "float32": {1: 63, 2: 79, 4: 115, 8: 193},
    "float64": {1: 82, 2: 97, 4: 136, 8: 212},
    "16 bit": {1: 72, 2: 122, 4: 164},
}
REGISTERS_NOW: Registers = {
    "float32": {1: 128, 2: 80, 4: 126, 8: 196},
    "float64": {1: 109, 2: 97, 4: 138, 8: 214},
    "16 bit": {1: 128, 2: 122, 4: 195},
}
STAGE_BYTES, RING_BYTES, MOST_STAGES, FLUSH_ROWS = 16 * 1024, 128 * 1024, 8, 256
Range = tuple[float, float]


@dataclass(frozen=True)
class Code:
    """What the machine code does: loads of a thread that adds up chunks, registers, and which ways it knows."""

    name: str
    loads: int
    registers: Registers
    streams: bool  # rows in sequence go through a ring
    shares_losses: bool  # a group takes several rows at once, whose losses its lanes share out
    fast_units: bool  # losses of float32 by `ex2` and `rcp`
    granules: bool  # rows of short elements come by whole 16 bytes wherever they start


BEFORE = Code("one load at a time", 1, REGISTERS_BEFORE, False, False, False, False)
NOW = Code("several loads at a time", 8, REGISTERS_NOW, True, True, True, True)


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
    cache_bytes: int = 64  # a cycle that a multiprocessor reads from the L2
    grid_sync: Range = (1.2e-6, 2.0e-6)
    launch: Range = (2.5e-6, 4.0e-6)

    @property
    def wavefronts(self) -> float:
        """Lines of 128 bytes a second through the L1 cache and shared memory of all multiprocessors."""
        return self.multiprocessors * self.clock


H100 = Gpu()
H200 = Gpu("H200", memory_rate=4.3e12)  # 4.8e12 nominal; the rest as the H100


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


def step_chunks(rows: int) -> int:
    """Chunks of a step in the persistent kernel."""
    return min(max(min(math.isqrt(9 * rows // 4), 128), 1), rows)


@dataclass(frozen=True)
class Tiling:
    """How rows are taken: by `lanes` of `vectors`, or in tiles of `rows`; blocks that fit a multiprocessor.

    A stream has ``stages`` of ``rows`` each. A group of lanes takes ``at_once`` rows together.
    """

    name: str
    lanes: int = 0
    vectors: int = 0
    rows: int = 0
    resident: int = 1
    columns: int = 0  # of a block, where they are split
    stages: int = 0
    at_once: int = 1


def tile_bytes(rows: int, d: int, storage: str) -> int:
    """Shared memory of a block that takes whole rows: two tiles, w, the gradient, scores, slopes and losses."""
    width, number = 16 // ELEMENT_BYTES[storage], arithmetic_bytes(storage)
    tiles = 128 + 2 * rows * math.ceil(d / width) * width * ELEMENT_BYTES[storage]
    parts = max(BLOCK_WARPS // rows, 1)
    return tiles + (d + max(d, BLOCK_THREADS) + (parts + 2) * rows) * number


def _padded(n_bytes: int) -> int:
    return math.ceil(n_bytes / 16) * 16 + 16


def stage_bytes(rows: int, d: int, storage: str) -> int:
    """Shared memory of a stage of a ring: rows, targets and weights."""
    return _padded(rows * d * ELEMENT_BYTES[storage]) + 2 * _padded(rows * arithmetic_bytes(storage))


def stream(d: int, storage: str, gpu: Gpu) -> Tiling | None:
    """Return the ring that rows of d elements stream through, None where they do not."""
    element = ELEMENT_BYTES[storage]
    shape = register_shape(d, 16 // element)
    if shape is None or storage == "float64":
        return None
    lanes, vectors = shape
    rows = groups = BLOCK_THREADS // lanes
    while rows < FLUSH_ROWS * groups and 2 * rows * (d * element + 8) <= STAGE_BYTES:
        rows *= 2
    stage, sums = stage_bytes(rows, d, storage), (d + 2) * (BLOCK_WARPS * 4 + 8) + 8
    for resident in (2, 1) if vectors * 16 // element <= 16 else (1,):
        limit = (gpu.shared_bytes + 1024) // resident - 1024
        most = min(max(RING_BYTES // resident // stage, 2), MOST_STAGES)
        fitting = [n for n in range(2, most + 1) if 384 + n * stage + 16 + 4096 + sums <= limit]
        if fitting:
            return Tiling("stream", lanes, vectors, rows, resident, stages=fitting[-1])
    return None


def tiling(d: int, storage: str, gpu: Gpu = H100, code: Code = NOW) -> Tiling:
    """Choose the tiling of a row-major X as cuda/launch/gradient.cu does."""
    element, number = ELEMENT_BYTES[storage], arithmetic_bytes(storage)
    if code.streams and (ring := stream(d, storage, gpu)):
        return ring
    if shape := register_shape(d, 16 // element):
        registers = math.ceil(code.registers[storage][shape[1]] / 8) * 8
        at_once = (4 if storage == "float32" else 2) if code.shares_losses and shape[1] == 1 else 1
        return Tiling("lanes", *shape, resident=gpu.registers // (registers * BLOCK_THREADS), at_once=at_once)
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
