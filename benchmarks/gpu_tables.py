"""The tables of docs/gpu.md, predicted by gpu_model.py: `python benchmarks/gpu_tables.py` prints them."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from gpu_model import (
    ELEMENT_BYTES,
    H100,
    Range,
    floor_seconds,
    gradient_seconds,
    pass_bytes,
    pass_limits,
    step_chunks,
    step_floor,
    step_parts,
    step_seconds,
    tiling,
    update_bytes,
    update_seconds,
)

SHAPES = [(5_000_000, 100), (500_000, 1000), (20_000_000, 16), (50_000, 10_000)]
STEPS = [(32, 100), (256, 100), (1024, 100), (4096, 100), (16_384, 100), (256, 1000)]
SIZES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]
PREDICTED = "predicted, not measured"


def in_words(seconds: Range) -> str:
    """Format a range of times in the unit of its larger end, with two digits."""
    unit, size = next((u, s) for u, s in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6), ("ns", 0.0)) if seconds[1] >= s)
    low, high = (f"{float(f'{value / (size or 1e-9):.2g}'):g}" for value in seconds)
    return f"{low} {unit}" if low == high else f"{low}-{high} {unit}"


def _rows(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    headings = list(headings)
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def moved(n_bytes: float) -> str:
    """Format a number of bytes."""
    unit, size = next((u, s) for u, s in (("GB", 1e9), ("MB", 1e6), ("kB", 0.0)) if n_bytes >= s)
    return f"{n_bytes / (size or 1e3):.3g} {unit}"


def _gradient_row(n: int, d: int, storage: str) -> list[str]:
    limits, floor = pass_limits(n, d, storage), floor_seconds(n, d, storage)
    slowest, time = max(limits, key=lambda name: limits[name][1]), gradient_seconds(n, d, storage)
    how = [tiling(d, storage).name, moved(pass_bytes(n, d, storage)), in_words((floor, floor))]
    return [f"{n:,} x {d:,}", storage, *how, in_words(time), f"{time[1] / floor:.1f}", slowest]


def gradient_table() -> str:
    """Predicted times of value and gradient."""
    headings = ("X", "storage", "tiling", "bytes", "floor", PREDICTED, "of the floor, at most", "limit, at most")
    return _rows(headings, [_gradient_row(n, d, storage) for n, d in SHAPES for storage in ELEMENT_BYTES])


def step_table() -> str:
    """Predicted times of a mini-batch step in the persistent kernel."""
    rows = []
    for batch, d in STEPS:
        parts = [in_words(part) for part in step_parts(batch, d).values()]
        time, floor = in_words(step_seconds(batch, d)), in_words((step_floor(batch, d),) * 2)
        rows.append([f"{batch:,}", f"{d:,}", str(step_chunks(batch)), *parts, floor, time])
    return _rows(("B", "d", "chunks", *step_parts(32, 100), "floor", PREDICTED), rows)


def update_table() -> str:
    """Predicted times of a step of Adam whose gradient is given."""
    rows = []
    for n in SIZES:
        floor, time = (update_bytes("Adam", n) / H100.memory_rate,) * 2, update_seconds("Adam", n)
        rows.append([f"{n:,}", moved(update_bytes("Adam", n)), in_words(floor), in_words(time)])
    return _rows(("parameters", "bytes", "floor", PREDICTED), rows)


TABLES = {
    "Value and gradient, logistic": gradient_table,
    "A mini-batch step, logistic, Adam, float32": step_table,
    "An update by Adam, float32": update_table,
}


def main() -> int:
    """Print the tables of docs/gpu.md."""
    sys.stdout.write("\n".join(f"{title}:\n\n{table()}" for title, table in TABLES.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
